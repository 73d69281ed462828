package arch_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// FuzzDescribe reads whatever settings a file may have, of every family and in both kinds of files: a
// description that passes its check can be asked everything.
func FuzzDescribe(f *testing.F) {
	for _, file := range []arch.File{
		folder(nil), folder(map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8.0}, "attention_bias": true}),
		folder(map[string]any{"layer_types": []any{"full_attention", "sliding_attention", "full_attention"}, "use_sliding_window": true}),
		folder(map[string]any{"sliding_window": nil, "head_dim": 0.0, "query_pre_attn_scalar": -1.0}),
	} {
		raw, err := json.Marshal(file.Settings)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var settings map[string]any
		if json.Unmarshal(raw, &settings) != nil {
			return
		}
		for _, family := range arch.Families() {
			check(t, family, arch.File{Kind: arch.Folder, Settings: settings})
			prefixed := map[string]any{}
			for name, v := range settings {
				prefixed[family.GGUF+"."+name] = v
			}
			check(t, family, arch.File{Kind: arch.GGUF, Settings: prefixed, Vocabulary: 7, RopeFactors: make([]float32, len(raw)%9)})
		}
	})
}

func check(t *testing.T, family arch.Family, file arch.File) {
	c, err := family.Describe(file)
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
			t.Errorf("no short line: %q", err)
		}
		return
	}
	for i, l := range c.Layers {
		if c.RopeOf(i).Dims > l.HeadDim || !(l.ScoreScale() > 0) || l.QueryRows() < l.KVRows() {
			t.Errorf("layer %d passed its check: %+v", i, l)
		}
		c.HasBias(arch.LayerPrefix(i) + "q")
	}
}
