package nn_test

import (
	"math"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/nn"
)

func frequencies(t *testing.T, r arch.Rope) ([]float64, float64) {
	t.Helper()
	f, scale, err := nn.RopeFrequencies(r)
	if err != nil {
		t.Fatal(err)
	}
	return f, scale
}

// TestDynamicIsFrozenAtTheLongestSequence has the base that transformers and mlx-lm compute for a sequence of
// Original times Factor tokens: theta (4 * 4 - 3)^(4/2) for four dimensions and a factor of 4.
func TestDynamicIsFrozenAtTheLongestSequence(t *testing.T) {
	f, scale := frequencies(t, arch.Rope{Type: "dynamic", Theta: 100, Dims: 4, Factor: 4, Original: 512})
	if want := 1 / math.Sqrt(100*13*13); f[0] != 1 || math.Abs(f[1]-want) > 1e-12 || scale != 1 {
		t.Errorf("frequencies %v, expected 1 and %g; scale %g", f, want, scale)
	}
}

func TestYarnsRampEndsAtWholeDimensionsUnlessItIsUncut(t *testing.T) {
	r := arch.Rope{Type: "yarn", Theta: 10000, Dims: 64, Factor: 4, Original: 4096, BetaFast: 32, BetaSlow: 1}
	cut, scale := frequencies(t, r)
	if want := 0.1*math.Log(4) + 1; math.Abs(scale-want) > 1e-12 {
		t.Errorf("scale %g, expected %g", scale, want)
	}
	r.IsUncut, r.Scale = true, 1.25
	uncut, scale := frequencies(t, r)
	if scale != 1.25 {
		t.Errorf("scale %g instead of the configured", scale)
	}
	// The ramp is from dimension 10.47 to 22.51: cut from 10 to 23. Below and above, the two agree.
	plain, _ := frequencies(t, arch.Rope{Type: "default", Theta: 10000, Dims: 64})
	for i := range plain {
		ramp := func(low, high float64) float64 { return math.Min(math.Max((float64(i)-low)/(high-low), 0), 1) }
		for name, c := range map[string]struct{ got, ramp float64 }{
			"cut": {cut[i], ramp(10, 23)}, "uncut": {uncut[i], ramp(10.4707, 22.5132)},
		} {
			want := plain[i] / 4 * c.ramp
			want += plain[i] * (1 - c.ramp)
			if math.Abs(c.got/want-1) > 1e-4 {
				t.Errorf("%s: frequency %d is %g, expected %g", name, i, c.got, want)
			}
		}
	}
}
