//go:build cgo

package model

import (
	"cmp"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

func openTiny(t testing.TB, tiny weightstest.Tiny, c Config) Model {
	t.Helper()
	return openAt(t, weightstest.Write(t, tiny), c)
}

// openAt opens the model at path on the CPU, on a thread that the test keeps. Empty settings are auto.
func openAt(t testing.TB, path string, c Config) Model {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	w, err := weights.Open(path)
	if err != nil {
		t.Fatalf("%v (run make deps)", err)
	}
	defer w.Close()
	c.Weights, c.Device = w, "cpu"
	c.Dtype, c.ISA = cmp.Or(c.Dtype, "auto"), cmp.Or(c.ISA, "auto")
	m, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// instructionSets are those of this processor.
func instructionSets(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, isa := range []string{"plain", "avx2", "avx512", "amx"} {
		if _, err := array.OpenKernels(isa, 0); err == nil {
			out = append(out, isa)
		}
	}
	return out
}

// history is a sequence's logits, one row for each token generated after the prompt.
func history(t testing.TB, m Model, prompt []int32, borders []int, answer []int32) [][]float32 {
	t.Helper()
	tab := table(t, m, len(prompt)+len(answer)+1)
	var out [][]float32
	from := 0
	for _, to := range append(slices.Clone(borders), len(prompt)) {
		l, err := m.Prefill(engine.Chunk{Tokens: prompt[from:to], Start: from, Table: tab, Logits: to == len(prompt)})
		if err != nil {
			t.Fatal(err)
		}
		if to == len(prompt) {
			out = append(out, slices.Clone(l))
		}
		from = to
	}
	for i, id := range answer {
		l, err := m.Decode([]engine.Row{{Token: id, Position: len(prompt) + i, Table: tab}})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, slices.Clone(l[0]))
	}
	return out
}

func tinyTokens(n int, seed int32) []int32 {
	out := make([]int32, n)
	for i := range out {
		seed = (seed*1103515245 + 12345) & 0x7fffffff
		out[i] = seed>>8%290 + 3
	}
	return out
}

func sameBits(a, b [][]float32) bool {
	return slices.EqualFunc(a, b, func(x, y []float32) bool { return slices.Equal(x, y) })
}

// everyModel runs a test for each architecture on each instruction set.
func everyModel(t *testing.T, test func(t *testing.T, tiny weightstest.Tiny, isa string)) {
	for name, tiny := range weightstest.Families() {
		for _, isa := range instructionSets(t) {
			t.Run(name+" "+isa, func(t *testing.T) { test(t, tiny, isa) })
		}
	}
}

func TestChunkBordersAndThreadsChangeNoBit(t *testing.T) {
	prompt, answer := tinyTokens(600, 7), tinyTokens(5, 9)
	everyModel(t, func(t *testing.T, tiny weightstest.Tiny, isa string) {
		want := history(t, openTiny(t, tiny, Config{ISA: isa, Threads: 1}), prompt, nil, answer)
		m := openTiny(t, tiny, Config{ISA: isa, Threads: 3})
		rapid.Check(t, func(r *rapid.T) {
			borders := rapid.SliceOfNDistinct(rapid.IntRange(1, len(prompt)-1), 0, 6, rapid.ID[int]).Draw(r, "borders")
			slices.Sort(borders)
			if !sameBits(history(t, m, prompt, borders, answer), want) {
				r.Fatalf("borders at %v change the logits", borders)
			}
		})
	})
}

func TestBatchMatesChangeNoBit(t *testing.T) {
	everyModel(t, func(t *testing.T, tiny weightstest.Tiny, isa string) {
		m := openTiny(t, tiny, Config{ISA: isa})
		const steps = 4
		var want [][][]float32
		var rows []engine.Row
		for i, n := range []int{1, 40, 255, 256, 511, 700} {
			prompt, answer := tinyTokens(n, int32(i+1)), tinyTokens(steps, int32(i+100))
			want = append(want, history(t, m, prompt, nil, answer)[1:])
			tab := table(t, m, n+steps)
			if _, err := m.Prefill(engine.Chunk{Tokens: prompt, Table: tab}); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, engine.Row{Position: n, Table: tab})
		}
		for step := range steps {
			for i := range rows {
				rows[i].Token = tinyTokens(steps, int32(i+100))[step]
			}
			got, err := m.Decode(rows)
			if err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				if !slices.Equal(got[i], want[i][step]) {
					t.Fatalf("row %d of a batch differs from the row alone at step %d", i, step)
				}
				rows[i].Position++
			}
		}
	})
}

func oddGemma2() weightstest.Tiny {
	return weightstest.Tiny{
		Layers: 3, Hidden: 50, Intermediate: 70, Heads: 3, KVHeads: 1, HeadDim: 18, Vocabulary: 77, Context: 700, Seed: 6,
		Tied: true, Family: weightstest.Gemma2{Window: 257, QueryScalar: 18, FinalCap: 1},
	}
}

func TestEveryShapeAndRopeIsNearStock(t *testing.T) {
	shapes := map[string]weightstest.Tiny{"default": weightstest.Default()}
	odd := weightstest.Tiny{Layers: 1, Hidden: 50, Intermediate: 70, Heads: 3, KVHeads: 1, HeadDim: 18, Vocabulary: 77, Context: 700, Seed: 5, Tied: true}
	shapes["odd sizes"] = odd
	sharded := weightstest.Default()
	sharded.Shards = 3
	shapes["shards"] = sharded
	for name, tiny := range weightstest.Golden() {
		shapes[name] = tiny
	}
	shapes["gemma2 of odd sizes"] = oddGemma2()
	for name, rope := range map[string]map[string]any{
		"linear": {"type": "linear", "factor": 2.0},
		"llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128},
		"yarn":   {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256},
	} {
		s := weightstest.Default()
		s.Rope = rope
		shapes[name] = s
	}
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			prompt, answer := tinyTokens(300, 3), tinyTokens(3, 4)
			for i := range prompt {
				prompt[i] %= int32(s.Vocabulary)
			}
			for i := range answer {
				answer[i] %= int32(s.Vocabulary)
			}
			want := history(t, openTiny(t, s, Config{Dtype: "float32"}), prompt, []int{100, 257}, answer)
			for _, isa := range instructionSets(t) {
				got := history(t, openTiny(t, s, Config{ISA: isa}), prompt, []int{90}, answer)
				for i := range want {
					if e := relativeError(got[i], want[i]); !(e < 0.05) {
						t.Errorf("%s: logits of step %d are off by %.3f of their largest", isa, i, e)
					}
				}
			}
		})
	}
}

func TestMisuseOfTheModelIsAnError(t *testing.T) {
	for _, dtype := range []string{"auto", "float32"} {
		m := openTiny(t, weightstest.Default(), Config{Dtype: dtype})
		tab := table(t, m, 256)
		for name, c := range map[string]engine.Chunk{
			"token outside the vocabulary": {Tokens: []int32{300}, Table: tab},
			"negative token":               {Tokens: []int32{-1}, Table: tab},
			"table too short":              {Tokens: tinyTokens(300, 1), Table: tab},
			"no table":                     {Tokens: []int32{1}},
		} {
			if _, err := m.Prefill(c); err == nil {
				t.Errorf("%s %s: no error", dtype, name)
			}
		}
		if _, err := m.Prefill(engine.Chunk{Tokens: []int32{5}, Table: tab, Logits: true}); err != nil {
			t.Errorf("%s: after misuse: %v", dtype, err)
		}
	}
}

func TestAThousandRequestsLeaveNoMemoryBehind(t *testing.T) {
	m := openTiny(t, weightstest.Default(), Config{})
	request := func(i int) {
		b, err := m.NewBlock()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Free()
		tab := []engine.Block{b}
		prompt := tinyTokens(10+i%50, int32(i))
		if _, err := m.Prefill(engine.Chunk{Tokens: prompt, Table: tab, Logits: true}); err != nil {
			t.Fatal(err)
		}
		for step := range 3 {
			if _, err := m.Decode([]engine.Row{{Token: 5, Position: len(prompt) + step, Table: tab}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	request(0)
	before := array.ActiveMemory()
	for i := range 1000 {
		request(i)
	}
	if after := array.ActiveMemory(); after != before {
		t.Fatalf("active memory was %d bytes and is %d after a thousand requests", before, after)
	}
}

func relativeError(got, want []float32) float64 {
	worst, top := 0.0, 0.0
	for i := range want {
		worst = max(worst, abs(float64(got[i]-want[i])))
		top = max(top, abs(float64(want[i])))
	}
	return worst / top
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

func TestAReusedBlockIsAsGoodAsNew(t *testing.T) {
	m := openTiny(t, weightstest.Default(), Config{})
	run := func(seed int32, n int) [][]float32 {
		var tab []engine.Block
		for range 3 {
			b, err := m.NewBlock()
			if err != nil {
				t.Fatal(err)
			}
			defer b.Free()
			tab = append(tab, b)
		}
		prompt := tinyTokens(n, seed)
		first, err := m.Prefill(engine.Chunk{Tokens: prompt, Table: tab, Logits: true})
		if err != nil {
			t.Fatal(err)
		}
		out := [][]float32{slices.Clone(first)}
		next, err := m.Decode([]engine.Row{{Token: 9, Position: n, Table: tab}})
		if err != nil {
			t.Fatal(err)
		}
		return append(out, slices.Clone(next[0]))
	}
	fresh := run(1, 300)
	run(2, 700)
	if !sameBits(run(1, 300), fresh) {
		t.Fatal("what another sequence left in a block changes the logits")
	}
}

func TestAFreedBlockIsRefused(t *testing.T) {
	m := openTiny(t, weightstest.Default(), Config{})
	b, err := m.NewBlock()
	if err != nil {
		t.Fatal(err)
	}
	b.Free()
	b.Free() // once more does no harm
	if _, err := m.Prefill(engine.Chunk{Tokens: []int32{1}, Table: []engine.Block{b}}); err == nil {
		t.Fatal("a freed block was written")
	}
}

func TestACopiedBlockGivesTheSameBits(t *testing.T) {
	for _, dtype := range []string{"auto", "float32"} {
		m := openTiny(t, weightstest.Default(), Config{Dtype: dtype})
		prompt := tinyTokens(300, 5)
		first := table(t, m, 302)
		if _, err := m.Prefill(engine.Chunk{Tokens: prompt[:290], Table: first}); err != nil {
			t.Fatal(err)
		}
		second := []engine.Block{first[0], table(t, m, 1)[0]}
		if err := m.Copy(second[1], first[1]); err != nil {
			t.Fatal(err)
		}
		end := func(tab []engine.Block, tokens []int32) []float32 {
			logits, err := m.Prefill(engine.Chunk{Tokens: tokens, Start: 290, Table: tab, Logits: true})
			if err != nil {
				t.Fatal(err)
			}
			return slices.Clone(logits)
		}
		want := end(first, prompt[290:])
		if other := end(second, tinyTokens(10, 77)); slices.Equal(other, want) {
			t.Errorf("%s: other tokens give the same logits", dtype)
		}
		if !slices.Equal(end(first, prompt[290:]), want) {
			t.Errorf("%s: writing the copy changed the original", dtype)
		}
		if !slices.Equal(end(second, prompt[290:]), want) {
			t.Errorf("%s: the copy gives other bits", dtype)
		}
	}
}
