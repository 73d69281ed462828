//go:build cgo

package model

import (
	"runtime"
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// moved is a table whose blocks hold the first tokens of another's, by way of rows at rest.
func moved(t testing.TB, m Model, from []engine.Block, tokens int) []engine.Block {
	t.Helper()
	to := table(t, m, len(from)*engine.BlockTokens)
	for i := 0; i*engine.BlockTokens < tokens; i++ {
		n := min(engine.BlockTokens, tokens-i*engine.BlockTokens)
		parts, err := m.Export(from[i], n)
		if err == nil {
			err = m.Import(to[i], n, parts)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// continued prefills the tokens behind start and decodes some more.
func continued(t testing.TB, m Model, tab []engine.Block, tokens []int32, start int, answer []int32) (out [][]float32) {
	t.Helper()
	logits, err := m.Prefill(engine.Chunk{Tokens: tokens[start:], Start: start, Table: tab, Logits: true})
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, slices.Clone(logits))
	for i, id := range answer {
		rows, err := m.Decode([]engine.Row{{Token: id, Position: len(tokens) + i, Table: tab}})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, slices.Clone(rows[0]))
	}
	return out
}

func checkMoved(t *testing.T, m Model) {
	tokens, answer := tinyTokens(700, 5), tinyTokens(4, 6)
	for _, start := range []int{1, 17, 255, 256, 257, 511, 600} {
		first, second := table(t, m, 1024), table(t, m, 1024)
		for _, tab := range [][]engine.Block{first, second} {
			if _, err := m.Prefill(engine.Chunk{Tokens: tokens[:start], Table: tab}); err != nil {
				t.Fatal(err)
			}
		}
		want := continued(t, m, first, tokens, start, answer)
		got := continued(t, m, moved(t, m, second, start), tokens, start, answer)
		if !sameBits(got, want) {
			t.Errorf("KV of %d tokens changes on its way through rows", start)
		}
	}
}

func TestRestoredKVGivesTheSameBits(t *testing.T) {
	everyModel(t, func(t *testing.T, tiny weightstest.Tiny, isa string) {
		checkMoved(t, openTiny(t, tiny, Config{ISA: isa, Threads: 2}))
	})
}

func TestStockOperatorsRestoreKVToo(t *testing.T) {
	for name, tiny := range weightstest.Families() {
		t.Run(name, func(t *testing.T) { checkMoved(t, openStockTiny(t, tiny)) })
	}
}

func TestImportRefusesWhatDoesNotFit(t *testing.T) {
	m := openTiny(t, weightstest.Default(), Config{})
	tab := table(t, m, 512)
	parts, err := m.Export(tab[0], 20)
	if err != nil {
		t.Fatal(err)
	}
	short := slices.Clone(parts)
	short[1] = short[1][:len(short[1])-2]
	for what, err := range map[string]error{
		"other tokens": m.Import(tab[1], 19, parts), "a layer less": m.Import(tab[1], 20, parts[1:]),
		"a short layer": m.Import(tab[1], 20, short), "no tokens": m.Import(tab[1], 0, nil),
		"too many tokens": m.Import(tab[1], 257, parts), "nothing": m.Import(tab[1], 20, nil),
	} {
		if err == nil {
			t.Errorf("%s: imported", what)
		}
	}
	if _, err := openTiny(t, weightstest.Default(), Config{Dtype: "float32"}).Export(nil, 1); err == nil {
		t.Error("full precision was exported")
	}
}

func BenchmarkRows(b *testing.B) {
	heads := array.Heads{Heads: 9, KVHeads: 3, Dim: 64}
	const layers = 30
	block, err := array.NewBlock(heads.BlockElements(layers))
	if err != nil {
		b.Fatal(err)
	}
	defer block.Free()
	rows := make([]byte, heads.RowBytes(layers, engine.BlockTokens))
	for name, move := range map[string]func() error{
		"export": func() error { return block.Rows(heads, layers, engine.BlockTokens, rows) },
		"import": func() error { return block.SetRows(heads, layers, engine.BlockTokens, rows) },
		"copy":   func() error { copy(rows[len(rows)/2:], rows[:len(rows)/2]); copy(rows, rows[len(rows)/2:]); return nil },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(rows)))
			for b.Loop() {
				if err := move(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// openStockTiny opens a model with the stock operators in bf16, as GPUs run it, on the CPU.
func openStockTiny(t *testing.T, tiny weightstest.Tiny) Model {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	w, err := weights.Open(weightstest.Write(t, tiny))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	device, err := array.OpenDevice("cpu")
	if err != nil {
		t.Fatal(err)
	}
	m, err := openStock(Config{Weights: w}, device, array.BFloat16)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// In 8 and 4 bits KV comes back near what it was, from both decoders, and from a tail of any length.
func TestRestInFewerBitsIsSmallerAndNear(t *testing.T) {
	tiny := weightstest.Default()
	for name, open := range map[string]func(bits int) Model{
		"fused": func(bits int) Model { return openTiny(t, tiny, Config{KVBits: bits}) },
		"stock": func(bits int) Model {
			m := openStockTiny(t, tiny).(*stockDecoder)
			m.bits = bits
			return m
		},
	} {
		for _, bits := range []int{8, 4} {
			m := open(bits)
			if m.Spec().Bits != bits {
				t.Errorf("%s: %d bits at rest, want %d", name, m.Spec().Bits, bits)
			}
			tab := table(t, m, 512)
			tokens := tinyTokens(301, 3)
			if _, err := m.Prefill(engine.Chunk{Tokens: tokens, Table: tab}); err != nil {
				t.Fatal(err)
			}
			want := continued(t, m, tab, append(slices.Clone(tokens), 5), 301, tinyTokens(3, 4))
			got := continued(t, m, moved(t, m, tab, 301), append(slices.Clone(tokens), 5), 301, tinyTokens(3, 4))
			worst := float32(0)
			for i := range want {
				for j := range want[i] {
					worst = max(worst, max(want[i][j]-got[i][j], got[i][j]-want[i][j]))
				}
			}
			if worst == 0 || !(worst < float32(6)/float32(bits)) {
				t.Errorf("%s, %d bits: logits differ by up to %g", name, bits, worst)
			}
			parts, err := m.Export(tab[1], 45)
			if err != nil {
				t.Fatal(err)
			}
			h := array.Heads{KVHeads: m.Spec().Layers[0].KVHeads, Dim: m.Spec().Layers[0].HeadDim}
			if full := h.RowBytes(1, 45); 3*len(parts[0]) > 2*full {
				t.Errorf("%s: %d bytes in %d bits, %d in 16", name, len(parts[0]), bits, full)
			}
		}
	}
}
