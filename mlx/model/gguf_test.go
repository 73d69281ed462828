//go:build cgo

package model

import (
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// TestAGGUFAnswersAsItsFolderDoes gives the same weights in both kinds of files, a GGUF's as llama.cpp's
// converter orders them, and expects the same bits.
func TestAGGUFAnswersAsItsFolderDoes(t *testing.T) {
	models := weightstest.Families()
	biased, gemma := weightstest.Default(), weightstest.DefaultGemma2()
	biased.Bias = true
	gemma.Family = weightstest.Gemma2{Window: 48, QueryScalar: 32, AttentionCap: 2, FinalCap: 3} // a GGUF has the head's dimension
	stretched := weightstest.DefaultGemma3()
	stretched.Family = weightstest.Gemma3{Window: 100, Pattern: 2, LocalTheta: 100, QueryScalar: 32, Factor: 8}
	models["llama with biases"], models["gemma2"], models["gemma3 stretched"] = biased, gemma, stretched
	models["qwen2"], models["smollm3"] = weightstest.DefaultQwen2(), weightstest.DefaultSmolLM3()
	for _, name := range []string{"rope-linear", "rope-yarn", "rope-yarn-weighted", "phi3-window"} {
		models[name] = weightstest.Golden()[name]
	}
	prompt, answer := tinyTokens(300, 21), tinyTokens(3, 22)
	for name, tiny := range models {
		for _, dtype := range []string{"auto", "float32"} {
			want := history(t, openTiny(t, tiny, Config{Dtype: dtype, ISA: "plain"}), prompt, []int{100}, answer)
			got := history(t, openAt(t, weightstest.WriteGGUF(t, tiny), Config{Dtype: dtype, ISA: "plain"}), prompt, []int{100}, answer)
			if !sameBits(got, want) {
				t.Errorf("%s in %s: the GGUF gives other bits than the folder, off by %.4f", name, dtype, relativeError(got[0], want[0]))
			}
		}
	}
}
