package engine

import (
	"cmp"
	"math"
	"slices"
)

// tellOf tells how likely a token was by its logits, and the most likely ones.
func tellOf(logits []float32, token int32, most int) Told {
	norm := logSum(logits)
	told := Told{Likelihood: Likelihood{token, float64(logits[token]) - norm}}
	if most <= 0 {
		return told
	}
	best := make([]Likelihood, 0, most+1)
	for i, logit := range logits {
		if len(best) == most && float64(logit)-norm <= best[most-1].Logprob {
			continue
		}
		one := Likelihood{int32(i), float64(logit) - norm}
		at, _ := slices.BinarySearchFunc(best, one, func(a, b Likelihood) int {
			return cmp.Or(cmp.Compare(b.Logprob, a.Logprob), cmp.Compare(a.Token, b.Token))
		})
		best = slices.Insert(best, at, one)
		best = best[:min(len(best), most)]
	}
	told.Likely = best
	return told
}

// logSum is the logarithm of the sum of the exponentials of the logits.
func logSum(logits []float32) float64 {
	top := float64(logits[argmax(logits)])
	sum := 0.0
	for _, logit := range logits {
		sum += math.Exp(float64(logit) - top)
	}
	return top + math.Log(sum)
}
