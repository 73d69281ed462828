package engine

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Likelihoods are the logarithms of a softmax, in 64 bits, and the most likely ones are those of the whole order.
func TestLikelihoodsAreASoftmaxs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(rapid.Float32Range(-40, 40), 1, 60).Draw(t, "logits")
		most := rapid.IntRange(0, 20).Draw(t, "most")
		token := int32(rapid.IntRange(0, len(logits)-1).Draw(t, "token"))
		told := tellOf(logits, token, most)
		sum := 0.0
		for _, logit := range logits {
			sum += math.Exp(float64(logit))
		}
		all := make([]Likelihood, len(logits))
		for i, logit := range logits {
			all[i] = Likelihood{int32(i), float64(logit) - math.Log(sum)}
		}
		if math.Abs(told.Logprob-all[token].Logprob) > 1e-9 || told.Token != token {
			t.Fatalf("%+v, want %+v", told, all[token])
		}
		slices.SortStableFunc(all, func(a, b Likelihood) int {
			return int(math.Copysign(1, b.Logprob-a.Logprob)) * btoi(a.Logprob != b.Logprob)
		})
		for i, one := range told.Likely {
			if one.Token != all[i].Token || math.Abs(one.Logprob-all[i].Logprob) > 1e-9 {
				t.Fatalf("at %d: %+v, want %+v", i, one, all[i])
			}
		}
		if len(told.Likely) != min(most, len(logits)) {
			t.Fatalf("%d of %d", len(told.Likely), most)
		}
	})
}

func btoi(is bool) int {
	if is {
		return 1
	}
	return 0
}
