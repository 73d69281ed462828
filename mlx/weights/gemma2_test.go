package weights_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

func open(t *testing.T, path string) *weights.Model {
	t.Helper()
	m, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestAFolderOfGemma2IsRead(t *testing.T) {
	c := open(t, weightstest.Write(t, weightstest.DefaultGemma2())).Config
	l := c.Layers[0]
	if l.Activation != arch.GELUTanh || !l.PostNorms || c.NormOffset != 1 || c.EmbedScale != 8 || l.ScoreCap != 2 || c.FinalCap != 3 {
		t.Errorf("config %+v", c)
	}
	if !slices.Equal(windows(c), []int{48, 0, 48, 0}) {
		t.Errorf("windows %v", windows(c))
	}
	if !slices.Equal(c.StopTokens, []int32{1, 107}) || math.Abs(l.ScoreScale()-1/math.Sqrt(24)) > 1e-12 {
		t.Errorf("stop tokens %v, scale %g", c.StopTokens, l.ScoreScale())
	}
	llama := open(t, weightstest.Write(t, weightstest.Default())).Config
	if l := llama.Layers[1]; l.Window != 0 || l.ScoreScale() != 0.25 || l.PostNorms || llama.EmbedScale != 0 || l.ScoreCap != 0 || llama.FinalCap != 0 {
		t.Errorf("Llama got Gemma's differences: %+v", llama)
	}
}

// windows are those of all layers.
func windows(c arch.Config) []int {
	out := make([]int, len(c.Layers))
	for i, l := range c.Layers {
		out[i] = l.Window
	}
	return out
}

func TestGemma2sKeysMayBeAbsentOrNull(t *testing.T) {
	for _, c := range []struct {
		from, to  string
		attention float64
		final     float64
		windows   []int
		refused   string
	}{
		{`"attn_logit_softcapping":2,`, ``, 50, 3, []int{48, 0, 48, 0}, ""},
		{`"final_logit_softcapping":3,`, `"final_logit_softcapping":null,`, 2, 0, []int{48, 0, 48, 0}, ""},
		{`"sliding_window":48,`, `"sliding_window":null,`, 2, 3, []int{0, 0, 0, 0}, ""},
		{`"sliding_window":48,`, ``, 2, 3, []int{4096, 0, 4096, 0}, ""},
		{`"model_type"`, `"layer_types":["full_attention","full_attention","sliding_attention","full_attention"],"model_type"`, 2, 3, []int{0, 0, 48, 0}, ""},
		{`"model_type"`, `"layer_types":["full_attention"],"model_type"`, 0, 0, nil, "1 windows for 4 layers"},
		{`"model_type"`, `"layer_types":["odd"],"model_type"`, 0, 0, nil, `"odd" is not supported`},
		{`"sliding_window":48,`, `"sliding_window":-1,`, 0, 0, nil, "the window of layer 0 is -1"},
		{`"attn_logit_softcapping":2,`, `"attn_logit_softcapping":-2,`, 0, 0, nil, "-2 makes no sense"},
		{`"hidden_activation":"gelu_pytorch_tanh"`, `"hidden_activation":"relu"`, 0, 0, nil, `"relu" is not supported`},
	} {
		dir := weightstest.Write(t, weightstest.DefaultGemma2())
		if err := replace(dir+"/config.json", c.from, c.to); err != nil {
			t.Fatal(err)
		}
		m, err := weights.Open(dir)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v", c.to, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if g, l := m.Config, m.Config.Layers[0]; l.ScoreCap != c.attention || g.FinalCap != c.final || !slices.Equal(windows(g), c.windows) {
			t.Errorf("%s: caps %g and %g, windows %v", c.to, l.ScoreCap, g.FinalCap, windows(g))
		}
	}
}

// gguf writes a GGUF file without alignment beyond the format's: pairs of string and value, and F32 tensors.
func gguf(t *testing.T, metadata [][2]any, tensors map[string][]uint64) string {
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	text := func(s string) { put(uint64(len(s))); b.WriteString(s) }
	b.WriteString("GGUF")
	put(uint32(3))
	put(uint64(len(tensors)))
	put(uint64(len(metadata)))
	for _, kv := range metadata {
		text(kv[0].(string))
		switch v := kv[1].(type) {
		case int:
			put(uint32(4))
			put(uint32(v))
		case float64:
			put(uint32(6))
			put(float32(v))
		case string:
			put(uint32(8))
			text(v)
		case []string:
			put([]uint32{9, 8})
			put(uint64(len(v)))
			for _, s := range v {
				text(s)
			}
		}
	}
	offset := uint64(0)
	for name, dims := range tensors {
		text(name)
		put(uint32(len(dims)))
		n := uint64(4)
		for _, d := range dims {
			put(d)
			n *= d
		}
		put(uint32(0))
		put(offset)
		offset += (n + 31) / 32 * 32
	}
	b.Write(make([]byte, (32-b.Len()%32)%32+int(offset)))
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAGGUFOfGemma2IsRead(t *testing.T) {
	metadata := [][2]any{
		{"general.architecture", "gemma2"}, {"gemma2.block_count", 2}, {"gemma2.embedding_length", 2304},
		{"gemma2.feed_forward_length", 9216}, {"gemma2.attention.head_count", 8}, {"gemma2.attention.head_count_kv", 4},
		{"gemma2.attention.key_length", 256}, {"gemma2.context_length", 8192}, {"gemma2.attention.layer_norm_rms_epsilon", 1e-6},
		{"gemma2.attn_logit_softcapping", 50.0}, {"gemma2.final_logit_softcapping", 30.0}, {"gemma2.attention.sliding_window", 4096},
		{"tokenizer.ggml.eos_token_id", 1}, {"tokenizer.ggml.tokens", []string{"<pad>", "<eos>", "<bos>", "<end_of_turn>"}},
	}
	tensors := map[string][]uint64{
		"token_embd.weight": {2304, 4}, "blk.0.post_attention_norm.weight": {2304}, "blk.1.post_ffw_norm.weight": {2304},
		"blk.1.ffn_norm.weight": {2304},
	}
	m := open(t, gguf(t, metadata, tensors))
	c, l := m.Config, m.Config.Layers[0]
	if l.HeadDim != 256 || c.PairedQK || c.NormOffset != 0 || c.EmbedScale != 48 || !l.PostNorms || l.ScoreScale() != 1.0/16 {
		t.Errorf("config %+v", c)
	}
	if !slices.Equal(windows(c), []int{4096, 0}) || !slices.Equal(c.StopTokens, []int32{1}) || l.ScoreCap != 50 || c.FinalCap != 30 {
		t.Errorf("windows %v, stop tokens %v, caps %g %g", windows(c), c.StopTokens, l.ScoreCap, c.FinalCap)
	}
	for _, name := range []string{"layers.0.attn_post_norm", "layers.1.ffn_post_norm", "layers.1.ffn_norm", "embed"} {
		if !m.Has(name) {
			t.Errorf("no tensor %s", name)
		}
	}
	metadata[1][1] = 46 // the 27B model's layers
	metadata[2][1], metadata[4][1] = 4608, 32
	if l := open(t, gguf(t, metadata, tensors)).Config.Layers[45]; math.Abs(l.ScoreScale()-1.0/12) > 1e-12 {
		t.Errorf("the 27B model's scores are scaled by %g, expected 1/12", l.ScoreScale())
	}
}
