package arch_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

func TestQwen3NormsItsQueriesAndKeys(t *testing.T) {
	for name, c := range map[string]arch.Config{
		"folder": described(t, folder(map[string]any{"model_type": "qwen3", "rope_theta": 1e6})),
		"GGUF":   described(t, gguf("qwen3", map[string]any{"attention.key_length": uint64(128), "rope.freq_base": 1e6})),
	} {
		for i, l := range c.Layers {
			if !l.QKNorm || l.HeadDim != 128 || l.PostNorms || l.Activation != arch.SiLU || l.Window != 0 || l.Bias != (arch.Bias{}) {
				t.Errorf("%s: layer %d is %+v", name, i, l)
			}
		}
		if c.RopeOf(0).Theta != 1e6 || c.PairedQK || c.NormOffset != 0 || c.Tied {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestQwen3sWindows follows the settings as transformers does: none unless use_sliding_window is set, then
// the layers that layer_types names, or those from max_window_layers on.
func TestQwen3sWindows(t *testing.T) {
	kinds := []any{"full_attention", "sliding_attention", "full_attention"}
	for _, c := range []struct {
		changes map[string]any
		want    []int
	}{
		{map[string]any{"sliding_window": 64.0, "max_window_layers": 1.0}, []int{0, 0, 0}},
		{map[string]any{"sliding_window": 64.0, "layer_types": kinds}, []int{0, 0, 0}},
		{map[string]any{"use_sliding_window": true, "sliding_window": 64.0, "max_window_layers": 1.0}, []int{0, 64, 64}},
		{map[string]any{"use_sliding_window": true, "sliding_window": 64.0, "max_window_layers": 0.0}, []int{64, 64, 64}},
		{map[string]any{"use_sliding_window": true, "sliding_window": 64.0}, []int{0, 0, 0}},
		{map[string]any{"use_sliding_window": true, "max_window_layers": 2.0}, []int{0, 0, 4096}},
		{map[string]any{"use_sliding_window": true, "sliding_window": nil, "max_window_layers": 0.0}, []int{0, 0, 0}},
		{map[string]any{"use_sliding_window": true, "sliding_window": 64.0, "layer_types": kinds}, []int{0, 64, 0}},
		{map[string]any{"use_sliding_window": true, "sliding_window": 64.0, "max_window_layers": -3.0}, []int{64, 64, 64}},
	} {
		changes := map[string]any{"model_type": "qwen3"}
		maps.Copy(changes, c.changes)
		var got []int
		for _, l := range described(t, folder(changes)).Layers {
			got = append(got, l.Window)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: windows %v, expected %v", c.changes, got, c.want)
		}
	}
	_, err := describe(folder(map[string]any{"model_type": "qwen3", "use_sliding_window": true, "layer_types": kinds[:2]}))
	if err == nil || !strings.Contains(err.Error(), "2 windows for 3 layers") {
		t.Errorf("two windows for three layers: %v", err)
	}
}
