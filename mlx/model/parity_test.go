//go:build cgo && parity

package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// parity is how near one implementation's answers are to another's.
type parity struct {
	worst             float64 // of the logits that are compared
	divergence        float64 // mean of Kullback and Leibler's, from the reference
	agreed, positions int     // greedy tokens
}

// compare adds an answer's logits and those of the reference.
func (p *parity) compare(got, want []float32) {
	for i := range want {
		p.worst = math.Max(p.worst, math.Abs(float64(got[i]-want[i])))
	}
	p.divergence = (p.divergence*float64(p.positions) + kl(want, got)) / float64(p.positions+1)
	p.positions++
	if argmax(got) == argmax(want) {
		p.agreed++
	}
}

// TestParityWithMLXLM prints how near both ways of computing are to mlx-lm in float32, on the tiny seeded models. Of
// mlx-lm's logits every seventh is kept, at two positions of each answer; the divergence of the default way is
// from the float32 way, over the same positions as the tokens.
func TestParityWithMLXLM(t *testing.T) {
	all, tiny := map[string][]tinyGolden{}, weightstest.Golden()
	for _, g := range goldens[tinyGolden](t, "tiny_greedy.jsonl", 3*len(tiny)) {
		all[g.Model] = append(all[g.Model], g)
	}
	fmt.Println("| model | float32: largest difference of logits | float32: greedy tokens | default: largest difference | default: mean divergence | default: greedy tokens |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		exact, fast := openTiny(t, tiny[name], Config{Dtype: "float32"}), openTiny(t, tiny[name], Config{})
		var ours, usual parity
		worst := 0.0
		agreed := 0
		for _, g := range all[name] {
			last := len(g.Answer) - 1
			want := history(t, exact, g.Prompt, nil, g.Answer[:last])
			got := history(t, fast, g.Prompt, []int{len(g.Prompt) / 2}, g.Answer[:last])
			for i := range want {
				ours.positions++
				if argmax(want[i]) == g.Answer[i] {
					ours.agreed++
				}
				if argmax(got[i]) == g.Answer[i] {
					agreed++
				}
				usual.compare(got[i], want[i])
			}
			for i, logits := range [][]float32{want[0], want[last]} {
				for j, x := range g.Logits[i] {
					worst = math.Max(worst, math.Abs(float64(logits[j*7]-x)))
				}
			}
		}
		fmt.Printf("| %s | %.1e | %d of %d | %.3f | %.1e | %d of %d |\n", name, worst, ours.agreed, ours.positions,
			usual.worst, usual.divergence, agreed, ours.positions)
		if worst > 1e-4 || ours.agreed != ours.positions {
			t.Errorf("%s: float32 is off by %g, %d of %d tokens are mlx-lm's", name, worst, ours.agreed, ours.positions)
		}
	}
}

// wideFamilies are models of every architecture whose rows hold whole blocks of 256.
func wideFamilies() map[string]weightstest.Tiny {
	all := weightstest.Families()
	all["qwen2"], all["mistral"], all["smollm3"] = weightstest.DefaultQwen2(), weightstest.DefaultMistral(), weightstest.DefaultSmolLM3()
	for name, tiny := range all {
		tiny.Hidden, tiny.Intermediate, tiny.HeadDim, tiny.Rope = 256, 256, 64, nil
		switch tiny.Family.(type) {
		case weightstest.Qwen3MoE:
			tiny.Family = weightstest.Qwen3MoE{Experts: 8, Used: 3, Inner: 256, IsNormed: true}
		case weightstest.Mistral:
			tiny.Family = nil // as GGUFs have it
		}
		all[name] = tiny
	}
	return all
}

// TestParityOfQuantisations prints how near the kernels' panels are to float32 with the same weights, of every
// architecture in every type. What the weights are is gguf's and MLX's own reading, bit for bit (package weights).
func TestParityOfQuantisations(t *testing.T) {
	fmt.Println("| architecture | weights | panels of | largest difference of logits | mean divergence | greedy tokens |")
	fmt.Println("|---|---|---|---|---|---|")
	families := wideFamilies()
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, kind := range []string{"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"} {
			types := map[string]string{"attn_": kind, "ffn_": kind, "token_embd": kind, "output": kind}
			t.Run(name+" "+kind, func(t *testing.T) {
				printParity(t, name, kind, weightstest.WriteMixedGGUF(t, families[name], types))
			})
		}
		for _, x := range [][2]int{{4, 32}, {4, 64}, {4, 128}, {8, 64}} {
			tiny := families[name]
			tiny.Bits, tiny.Group = x[0], x[1]
			kind := fmt.Sprintf("MLX %d bits, groups of %d", x[0], x[1])
			t.Run(name+" "+kind, func(t *testing.T) { printParity(t, name, kind, weightstest.Write(t, tiny)) })
		}
	}
}

func printParity(t *testing.T, family, kind, path string) {
	exact, fast := openAt(t, path, Config{Dtype: "float32"}), openAt(t, path, Config{})
	var p parity
	for seed := range int32(2) {
		prompt, answer := tinyTokens(100, seed+1), tinyTokens(15, seed+10)
		want, got := history(t, exact, prompt, nil, answer), history(t, fast, prompt, nil, answer)
		for i := range want {
			p.compare(got[i], want[i])
		}
	}
	fmt.Printf("| %s | %s | %s | %.3f | %.1e | %d of %d |\n", family, kind, panelsOf(t, path), p.worst, p.divergence, p.agreed, p.positions)
	if !(p.divergence < 0.05) {
		t.Errorf("%s of %s: a mean divergence of %g from float32", family, kind, p.divergence)
	}
}

// panelsOf is the form in which the kernels hold a layer's matrix.
func panelsOf(t *testing.T, path string) string {
	w, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f, err := w.Form("layers.0.o", w.Config.Hidden, w.Config.Layers[0].QueryRows())
	if err != nil {
		t.Fatal(err)
	}
	if bits := bitsOf(f.PanelTypes[0]); bits < 16 {
		return fmt.Sprintf("%d bits", bits)
	}
	return "bf16"
}
