//go:build cgo

package model

import (
	"testing"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// openWith opens a model whose description was changed.
func openWith(t *testing.T, path string, c Config, change func(*arch.Config)) Model {
	t.Helper()
	w, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if change(&w.Config); w.Config.Check() != nil {
		t.Fatal(w.Config.Check())
	}
	c.Weights, c.Device = w, "cpu"
	m, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestEveryLayerHasItsOwnRope gives layers two bases, one of them over fewer dimensions, and different
// windows.
func TestEveryLayerHasItsOwnRope(t *testing.T) {
	tiny := weightstest.DefaultQwen3()
	path := weightstest.Write(t, tiny)
	prompt, answer := tinyTokens(300, 31), tinyTokens(3, 32)
	plain := history(t, openTiny(t, tiny, Config{Dtype: "float32"}), prompt, nil, answer)
	for layer := range tiny.Layers {
		change := func(c *arch.Config) {
			local := c.Ropes[0]
			local.Theta, local.Dims = 100, local.Dims/2
			c.Ropes = append(c.Ropes, local)
			c.Layers[layer].Rope, c.Layers[layer].Window = 1, 40
		}
		want := history(t, openWith(t, path, Config{Dtype: "float32"}, change), prompt, []int{100}, answer)
		if e := relativeError(want[0], plain[0]); e < 0.05 {
			t.Errorf("another rope in layer %d hardly changes the logits: by %.3f", layer, e)
		}
		for _, isa := range instructionSets(t) {
			got := history(t, openWith(t, path, Config{Dtype: "auto", ISA: isa}, change), prompt, []int{90}, answer)
			for i := range want {
				if e := relativeError(got[i], want[i]); !(e < 0.05) {
					t.Errorf("%s, layer %d: logits of step %d are off by %.3f of their largest", isa, layer, i, e)
				}
			}
		}
	}
}
