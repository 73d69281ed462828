//go:build cgo

package model

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// layerNorms are a layer's norms: before attention and feed-forward, of what they return, and of queries and
// keys.
type layerNorms struct {
	attnNorm, ffnNorm         *array.Array
	attnPostNorm, ffnPostNorm *array.Array // nil without PostNorms
	qNorm, kNorm              *array.Array // nil without QKNorm
}

func loadNorms(s *array.Scope, w *weights.Model, layer int) (n layerNorms, err error) {
	l, hidden := w.Config.Layers[layer], w.Config.Hidden
	for _, x := range []struct {
		has  bool
		to   **array.Array
		name string
		n    int
	}{
		{true, &n.attnNorm, "attn_norm", hidden}, {true, &n.ffnNorm, "ffn_norm", hidden},
		{l.PostNorms, &n.attnPostNorm, "attn_post_norm", hidden}, {l.PostNorms, &n.ffnPostNorm, "ffn_post_norm", hidden},
		{l.QKNorm, &n.qNorm, "q_norm", l.HeadDim}, {l.QKNorm, &n.kNorm, "k_norm", l.HeadDim},
	} {
		if !x.has {
			continue
		}
		if *x.to, err = norm(s, w, arch.LayerPrefix(layer)+x.name, x.n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// norm loads the weights of a norm as float32 [n], Config.NormOffset added.
func norm(s *array.Scope, w *weights.Model, name string, n int) (*array.Array, error) {
	t, err := w.Tensor(name, n)
	if err != nil {
		return nil, err
	}
	values := t.Floats()
	for i := range values {
		values[i] += float32(w.Config.NormOffset)
	}
	a := array.New(s, values, array.Float32, n)
	return a, s.Eval(a)
}

// biases are those of several products as one float32 row of n, each value where its column lies.
func biases(s *array.Scope, w *weights.Model, n int, parts ...part) (*array.Array, error) {
	row := make([]float32, n)
	for _, p := range parts {
		t, err := w.Tensor(p.name+".bias", p.rows)
		if err != nil {
			return nil, err
		}
		for r, v := range t.Floats() {
			row[p.column(r)] = v
		}
	}
	a := array.New(s, row, array.Float32, n)
	return a, s.Eval(a)
}

// rotaryOrder maps the rows of a layer's queries or keys to the order of halves, the first to offset.
func rotaryOrder(c arch.Config, layer, offset int) func(int) int {
	if !c.PairedQK {
		return columnsFrom(offset)
	}
	return pairsToHalves(c.Layers[layer].HeadDim, c.RopeOf(layer).Dims, offset)
}

// headsOf is the shape of attention, the same in all layers as Config.Check holds.
func headsOf(c arch.Config) array.Heads {
	l := c.Layers[0]
	return array.Heads{Heads: l.Heads, KVHeads: l.KVHeads, Dim: l.HeadDim}
}

// gateOf is the kernels' gate of an activation.
func gateOf(a arch.Activation) (array.Gate, error) {
	switch a {
	case arch.SiLU:
		return array.SiLU, nil
	case arch.GELUTanh:
		return array.GELUTanh, nil
	}
	return 0, fmt.Errorf("the activation %d is %w", a, arch.ErrUnsupported)
}
