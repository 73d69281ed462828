package arch

import (
	"cmp"
	"fmt"
	"math"
)

// longRope reads longrope (Ding et al., LongRoPE, 2024), as Phi 3 has it: a divisor for each frequency, others for
// sequences within the original context than for longer ones. Keys that are kept can't change when a sequence grows
// past it, so a model whose context is beyond the original one has the long divisors from the first token on.
func longRope(s *settings, r *Rope, context int) {
	name, mscale := "short_factor", "short_mscale"
	if context > r.Original {
		name, mscale = "long_factor", "long_mscale"
	}
	r.Type, r.Factors = "factors", nil
	for _, v := range s.numbers(key{name, ""}, "a list of numbers", func(v float64) bool { return v > 0 }) {
		r.Factors = append(r.Factors, float32(v))
	}
	if s.err == nil && len(r.Factors) != r.Dims/2 {
		s.err = fmt.Errorf("%s has %d numbers, expected %d", name, len(r.Factors), r.Dims/2)
	}
	stretch := float64(context) / float64(max(r.Original, 1))
	if r.Factor > 0 {
		stretch = r.Factor
	}
	r.Scale = cmp.Or(r.Scale, s.number(key{mscale, ""}, 0), longRopeScale(stretch, r.Original))
}

// longRopeScale is the factor of attention for a context that is stretched.
func longRopeScale(stretch float64, original int) float64 {
	if stretch <= 1 || original <= 1 {
		return 1
	}
	return math.Sqrt(1 + math.Log(stretch)/math.Log(float64(original)))
}
