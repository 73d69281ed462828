package arch_test

import (
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

func TestQwen2HasBiasesThatNoSettingTells(t *testing.T) {
	with := gguf("qwen2", nil)
	with.HasTensor = func(name string) bool { return name == "blk.0.attn_q.bias" }
	for name, c := range map[string]arch.Config{"folder": described(t, folder(map[string]any{"model_type": "qwen2"})), "GGUF": described(t, with)} {
		for i, l := range c.Layers {
			if l.Bias != (arch.Bias{QKV: true}) || l.QKNorm || l.Window != 0 || l.Activation != arch.SiLU {
				t.Errorf("%s: layer %d is %+v", name, i, l)
			}
		}
		if c.PairedQK {
			t.Errorf("%s: rows of queries are paired", name)
		}
	}
	late := described(t, folder(map[string]any{"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 64.0, "max_window_layers": 2.0}))
	if late.Layers[1].Window != 0 || late.Layers[2].Window != 64 {
		t.Errorf("windows of %+v", late.Layers)
	}
}

func TestMistralHasAWindowInAllLayersOrInNone(t *testing.T) {
	for _, c := range []struct {
		changes map[string]any
		want    int
	}{{map[string]any{"sliding_window": 64.0}, 64}, {map[string]any{"sliding_window": nil}, 0}, {map[string]any{}, 4096}} {
		c.changes["model_type"] = "mistral"
		for i, l := range described(t, folder(c.changes)).Layers {
			if l.Window != c.want || l.Bias != (arch.Bias{}) {
				t.Errorf("%v: layer %d is %+v", c.changes, i, l)
			}
		}
	}
}

// TestAFamilyThatGGUFsDoNotNameIsFoundInNone: neither by its folder's name nor by none.
func TestAFamilyThatGGUFsDoNotNameIsFoundInNone(t *testing.T) {
	for _, name := range []string{"mistral", ""} {
		_, err := describe(gguf(name, nil))
		if err == nil || !strings.Contains(err.Error(), "not supported; llama, gemma2, gemma3, phi3, qwen2, qwen3, qwen3moe and smollm3 are") {
			t.Errorf("a GGUF of the architecture %q: %v", name, err)
		}
	}
}
