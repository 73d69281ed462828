//go:build cgo

package model

import (
	"math"
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// tinyGolden is a line of testdata/tiny_greedy.jsonl, made by oracle/tiny_tokens.py with mlx-lm in float32.
type tinyGolden struct {
	Model  string       `json:"model"` // of weightstest.Golden
	Prompt []int32      `json:"prompt"`
	Answer []int32      `json:"answer"`
	Logits [2][]float32 `json:"logits"` // behind the prompt and behind the last but one token, every 7th
}

// TestTinyModelsAnswerAsMLXLM holds the float32 path to mlx-lm's tokens and logits: Gemma 2 with its soft
// caps and windows over several blocks, and models that are quantised as MLX does it.
func TestTinyModelsAnswerAsMLXLM(t *testing.T) {
	models := map[string]Model{}
	for name, tiny := range weightstest.Golden() {
		models[name] = openTiny(t, tiny, Config{Dtype: "float32"})
	}
	for _, g := range goldens[tinyGolden](t, "tiny_greedy.jsonl", 3*len(models)) {
		m := models[g.Model]
		if m == nil {
			t.Fatalf("no model %q", g.Model)
		}
		last := len(g.Answer) - 1
		borders := []int{len(g.Prompt) / 2}
		all := history(t, m, g.Prompt, borders, g.Answer[:last])
		var tokens []int32
		for _, logits := range all {
			tokens = append(tokens, argmax(logits))
		}
		if !slices.Equal(tokens, g.Answer) {
			t.Errorf("%s after %d tokens: float32 gives %v, mlx-lm %v", g.Model, len(g.Prompt), tokens, g.Answer)
		}
		for i, logits := range [][]float32{all[0], all[last]} {
			worst := 0.0
			for j, want := range g.Logits[i] {
				worst = max(worst, math.Abs(float64(logits[j*7]-want)))
			}
			if !(worst < 1e-4) {
				t.Errorf("%s after %d tokens: logits %d are off by %g from mlx-lm's", g.Model, len(g.Prompt), i, worst)
			}
		}
	}
}
