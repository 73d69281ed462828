package arch_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// mini are the settings of a Phi 3 in a folder whose heads of 16 rotate 4 dimensions, changed.
func mini(changes map[string]any) arch.File {
	all := map[string]any{
		"model_type": "phi3", "partial_rotary_factor": 0.25, "original_max_position_embeddings": 128.0,
		"rope_scaling": map[string]any{"type": "longrope", "short_factor": []any{1.0, 2.0}, "long_factor": []any{1.0, 8.0}},
	}
	maps.Copy(all, changes)
	return folder(all)
}

// TestLongDivisorsCountFromTheFirstTokenOn wherever the context is beyond the original one.
func TestLongDivisorsCountFromTheFirstTokenOn(t *testing.T) {
	long := math.Sqrt(1 + math.Log(4)/math.Log(128))
	file := gguf("phi3", map[string]any{
		"rope.dimension_count": uint64(4), "rope.scaling.original_context_length": uint64(128), "rope.scaling.attn_factor": long,
	})
	file.ShortRopeFactors, file.LongRopeFactors = []float32{1, 2}, []float32{1, 8}
	scaling := func(more map[string]any) map[string]any {
		all := map[string]any{"rope_type": "longrope", "short_factor": []any{1.0, 2.0}, "long_factor": []any{1.0, 8.0}}
		maps.Copy(all, more)
		return map[string]any{"rope_scaling": all}
	}
	for name, c := range map[string]struct {
		file    arch.File
		factors []float32
		scale   float64
	}{
		"long":                     {mini(nil), []float32{1, 8}, long},
		"long, GGUF":               {file, []float32{1, 8}, long},
		"short":                    {mini(map[string]any{"max_position_embeddings": 128.0}), []float32{1, 2}, 1},
		"a context of its own":     {mini(scaling(map[string]any{"original_max_position_embeddings": 512.0})), []float32{1, 2}, 1},
		"a factor of its own":      {mini(scaling(map[string]any{"factor": 16.0})), []float32{1, 8}, math.Sqrt(1 + math.Log(16)/math.Log(128))},
		"a scale of its own":       {mini(scaling(map[string]any{"long_mscale": 1.5, "short_mscale": 2.0})), []float32{1, 8}, 1.5},
		"an attention of its own":  {mini(scaling(map[string]any{"attention_factor": 1.25})), []float32{1, 8}, 1.25},
		"su, as it was once named": {mini(scaling(map[string]any{"rope_type": "su"})), []float32{1, 8}, long},
	} {
		d := described(t, c.file)
		got := d.RopeOf(1)
		if got.Type != "factors" || got.Dims != 4 || !slices.Equal(got.Factors, c.factors) || math.Abs(got.Scale-c.scale) > 1e-12 {
			t.Errorf("%s: %+v, expected %v times %g", name, got, c.factors, c.scale)
		}
		if d.Context > 512 {
			t.Errorf("%s: a context of %d, more than the file has", name, d.Context)
		}
	}
}

func TestPhi3sWindowIsThatOfAllLayers(t *testing.T) {
	for _, c := range []struct {
		file arch.File
		want int
	}{
		{mini(nil), 0},
		{mini(map[string]any{"sliding_window": nil}), 0},
		{mini(map[string]any{"sliding_window": 2047.0}), 2047},
		{gguf("phi3", map[string]any{"attention.sliding_window": uint64(2047)}), 2047},
		{gguf("phi3", nil), 0},
	} {
		for i, l := range described(t, c.file).Layers {
			if l.Window != c.want {
				t.Errorf("layer %d has a window of %d, expected %d", i, l.Window, c.want)
			}
		}
	}
}

func TestWhatNoPhi3HasIsRefused(t *testing.T) {
	scaling := func(v any) map[string]any {
		return map[string]any{"rope_scaling": map[string]any{"type": "longrope", "long_factor": v}}
	}
	for _, c := range []struct {
		changes map[string]any
		want    string
	}{
		{scaling([]any{1.0}), "long_factor has 1 numbers, expected 2"},
		{scaling(nil), "long_factor has 0 numbers, expected 2"},
		{scaling([]any{1.0, 0.0}), "expected a list of numbers"},
		{scaling("one"), "expected a list of numbers"},
		{map[string]any{"partial_rotary_factor": 3.0}, "expected 24"},
	} {
		if _, err := describe(mini(c.changes)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, got %v", c.want, err)
		}
	}
}
