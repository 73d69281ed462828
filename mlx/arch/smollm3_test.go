package arch_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// third is a SmolLM3 of six layers in a folder, changed.
func third(changes map[string]any) arch.File {
	all := map[string]any{"model_type": "smollm3", "num_hidden_layers": 6.0}
	maps.Copy(all, changes)
	return folder(all)
}

func TestSmolLM3HasLayersWithoutPositions(t *testing.T) {
	for name, c := range map[string]struct {
		file arch.File
		want []string
	}{
		"every fourth":  {third(nil), []string{"default", "default", "default", "none", "default", "default"}},
		"every second":  {third(map[string]any{"no_rope_layer_interval": 2.0}), []string{"default", "none", "default", "none", "default", "none"}},
		"by a list":     {third(map[string]any{"no_rope_layers": []any{0.0, 1.0, 1.0, 1.0, 0.0, 1.0}}), []string{"none", "default", "default", "default", "none", "default"}},
		"GGUF":          {gguf("smollm3", map[string]any{"block_count": uint64(6)}), []string{"default", "default", "default", "none", "default", "default"}},
		"a window more": {third(map[string]any{"use_sliding_window": true, "sliding_window": 9.0}), []string{"default", "default", "default", "none", "default", "default"}},
	} {
		d := described(t, c.file)
		var got []string
		for i, l := range d.Layers {
			got = append(got, d.RopeOf(i).Type)
			if hasWindow := l.Window == 9; hasWindow != (name == "a window more" && i == 3) {
				t.Errorf("%s: the window of layer %d is %d", name, i, l.Window)
			}
		}
		if !slices.Equal(got, c.want) || d.PairedQK != (name == "GGUF") {
			t.Errorf("%s: rotations %v, expected %v; %+v", name, got, c.want, d)
		}
	}
}

func TestWhatNoSmolLM3HasIsRefused(t *testing.T) {
	for want, changes := range map[string]map[string]any{
		"no_rope_layers has 1 numbers for 6 layers":        {"no_rope_layers": []any{1.0}},
		"expected a list of whole numbers":                 {"no_rope_layers": []any{1.5, 0.0, 0.0, 0.0, 0.0, 0.0}},
		"no_rope_layer_interval is 0, expected at least 1": {"no_rope_layer_interval": 0.0},
	} {
		if _, err := describe(third(changes)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, got %v", want, err)
		}
	}
}
