//go:build cgo && models

package model

import (
	"math"
	"slices"
	"testing"
)

const gemma3Small = "../../.models/gemma-3-270m-q4_k_m.gguf"

// TestGemma3AnswersAsNumPy holds the real weights of Gemma 3 270M in float32 to the tokens and logits of an
// implementation in NumPy, one prompt of them longer than two windows, and the default precision to float32.
func TestGemma3AnswersAsNumPy(t *testing.T) {
	exact, fast := openAt(t, gemma3Small, Config{Dtype: "float32"}), openAt(t, gemma3Small, Config{})
	var divergence float64
	var positions, agreed int
	for _, g := range goldens[golden](t, "gemma3_greedy.jsonl", 10) {
		last := len(g.Answer) - 1
		want := history(t, exact, g.Prompt, nil, g.Answer[:last])
		got := history(t, fast, g.Prompt, []int{len(g.Prompt) / 2}, g.Answer[:last])
		var tokens []int32
		for i := range want {
			tokens = append(tokens, argmax(want[i]))
			divergence += kl(want[i], got[i])
			positions++
			if argmax(got[i]) == tokens[i] {
				agreed++
			}
		}
		if !slices.Equal(tokens, g.Answer) {
			t.Errorf("%q: float32 gives %v, NumPy %v", g.Text, tokens, g.Answer)
		}
		for i, x := range g.Logits {
			if math.Abs(float64(x-want[0][i*997])) > 0.01 {
				t.Errorf("%q: logit %d is %g, NumPy's %g", g.Text, i*997, want[0][i*997], x)
				break
			}
		}
	}
	mean := divergence / float64(positions)
	t.Logf("%s against float32: mean KL divergence %.6f over %d positions, greedy token equal at %d; %v",
		fast.Class(), mean, positions, agreed, fast.Spec().Notes)
	if !(mean < 0.01) {
		t.Errorf("mean KL divergence %.4f, expected under 0.01", mean)
	}
}

func TestTheEstimateHoldsForGemma3(t *testing.T) { checkResident(t, gemma3Small, 8192) }
