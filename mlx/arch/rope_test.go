package arch_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

func TestRopeFactorsOfAGGUFBelongToItsFrequencies(t *testing.T) {
	file := gguf("llama", nil)
	file.RopeFactors = []float32{1, 1, 1, 1, 2, 2, 4, 8}
	if c := described(t, file); c.RopeOf(0).Type != "factors" || len(c.RopeOf(0).Factors) != 8 {
		t.Errorf("rope %+v", c.RopeOf(0))
	}
	file.RopeFactors = make([]float32, 9)
	if _, err := describe(file); err == nil || !strings.Contains(err.Error(), "9 factors, expected 8") {
		t.Errorf("nine factors for eight frequencies: %v", err)
	}
	file.RopeFactors = make([]float32, 8)
	if _, err := describe(file); err == nil || !strings.Contains(err.Error(), "divided by 0") {
		t.Errorf("factors of zero: %v", err)
	}
}

// TestAStretchedRotationIsReadWithItsContext has the same stretch in both kinds of files.
func TestAStretchedRotationIsReadWithItsContext(t *testing.T) {
	yarn := arch.Rope{Type: "yarn", Theta: 10000, Dims: 16, Factor: 4, Original: 256, BetaFast: 32, BetaSlow: 1}
	strong := yarn
	strong.BetaFast, strong.BetaSlow, strong.Scale = 16, 2, 2*(0.1*math.Log(4)+1)
	for name, c := range map[string]struct {
		file    arch.File
		want    arch.Rope
		context int
	}{
		"linear":        {scaled(map[string]any{"type": "linear", "factor": 4.0}), arch.Rope{Type: "linear", Factor: 4, Original: 512}, 2048},
		"linear, GGUF":  {gguf("llama", map[string]any{"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}), arch.Rope{Type: "linear", Factor: 4, Original: 512}, 2048},
		"dynamic":       {scaled(map[string]any{"rope_type": "dynamic", "factor": 2.0}), arch.Rope{Type: "dynamic", Factor: 2, Original: 512}, 1024},
		"yarn":          {scaled(map[string]any{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256.0}), yarn, 1024},
		"yarn of all":   {scaled(map[string]any{"type": "yarn", "factor": 4.0}), with(yarn, func(r *arch.Rope) { r.Original = 512 }), 2048},
		"yarn, default": {scaled(map[string]any{"type": "yarn", "factor": 1.5, "original_max_position_embeddings": 256.0}), with(yarn, func(r *arch.Rope) { r.Factor = 1.5 }), 512},
		"yarn, uncut":   {scaled(map[string]any{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256.0, "truncate": false}), with(yarn, func(r *arch.Rope) { r.IsUncut = true }), 1024},
		"yarn, strong": {
			scaled(map[string]any{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256.0, "beta_fast": 16.0, "beta_slow": 2.0, "attention_factor": strong.Scale}), strong, 1024,
		},
		"yarn, GGUF": {gguf("llama", map[string]any{"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": uint64(256)}), yarn, 1024},
		"yarn, strong, GGUF": {
			gguf("llama", map[string]any{
				"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": uint64(256), "rope.scaling.yarn_ext_factor": 1.0,
				"rope.scaling.yarn_beta_fast": 16.0, "rope.scaling.yarn_beta_slow": 2.0, "rope.scaling.yarn_attn_factor": 2.0,
			}), strong, 1024,
		},
		"llama3 has its context": {
			scaled(map[string]any{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128.0}),
			arch.Rope{Type: "llama3", Factor: 8, Low: 1, High: 4, Original: 128}, 512,
		},
		"a part of a head": {folder(map[string]any{"partial_rotary_factor": 0.5}), arch.Rope{Type: "default", Dims: 8}, 512},
	} {
		d := described(t, c.file)
		want, got := c.want, d.RopeOf(0)
		want.Theta = 10000
		if want.Dims == 0 {
			want.Dims = 16
		}
		if !reflect.DeepEqual(got, want) || d.Context != c.context {
			t.Errorf("%s: %+v of a context of %d, expected %+v of %d", name, got, d.Context, want, c.context)
		}
	}
}

// scaled is a small Llama with a rope_scaling.
func scaled(scaling map[string]any) arch.File { return folder(map[string]any{"rope_scaling": scaling}) }

func with(r arch.Rope, change func(*arch.Rope)) arch.Rope {
	change(&r)
	return r
}

func TestAStretchThatMakesNoSenseIsOneClearLine(t *testing.T) {
	for _, c := range []struct {
		file arch.File
		want string
	}{
		{scaled(map[string]any{"type": "spiral", "factor": 2.0}), `"spiral" is not supported; linear, dynamic, llama3, yarn and longrope are`},
		{scaled(map[string]any{"type": "dynamic"}), "its factor is 0"},
		{scaled(map[string]any{"type": "linear", "factor": 1e30}), "context length is 2147483647"},
		{scaled(map[string]any{"type": "yarn", "factor": 2.0, "beta_slow": 0.0}), "make no ramp"},
		{scaled(map[string]any{"type": "yarn", "factor": 2.0, "attention_factor": -1.0}), "multiplied by -1"},
		{scaled(map[string]any{"type": "yarn", "factor": 2.0, "truncate": "no"}), "expected true or false"},
		{gguf("llama", map[string]any{"rope.scaling.type": "linear"}), "its factor is 0"},
		{gguf("llama", map[string]any{"rope.scaling.type": "yarn", "rope.scaling.factor": 2.0, "rope.scaling.yarn_ext_factor": 0.5}), "yarn_ext_factor of 0.5 is not supported; 1 is"},
		{gguf("llama", map[string]any{"rope.scaling.type": "longrope"}), "needs the tensor rope_factors_short.weight"},
		{folder(map[string]any{"partial_rotary_factor": 0.2}), "3 rotary dimensions"},
	} {
		_, err := describe(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("expected %q, got %v", c.want, err)
		}
	}
}
