//go:build cgo

package model

import (
	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// stockExperts are a layer's feed-forward parts, [experts, inputs, outputs] of each matrix.
type stockExperts struct {
	router         *array.Array // [hidden, experts]
	gate, up, down *array.Array
}

func (m stockLoader) loadExperts(w *weights.Model, layer int) (x *stockExperts, err error) {
	l, hidden, x := m.config.Layers[layer], m.config.Hidden, &stockExperts{}
	if x.router, err = m.transposedMatrix(w, arch.LayerPrefix(layer)+"router", l.Experts.Count, hidden, columnsFrom(0)); err != nil {
		return nil, err
	}
	for _, v := range []struct {
		to         **array.Array
		name       string
		rows, cols int
	}{{&x.gate, "gate", l.Intermediate, hidden}, {&x.up, "up", l.Intermediate, hidden}, {&x.down, "down", hidden, l.Intermediate}} {
		if *v.to, err = m.stacked(w, layer, v.name, v.rows, v.cols); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// expertType is the type of the experts' matrices. MLX's gather_mm knows float32 only on CPUs, and turns the rows into it.
func (m stockLoader) expertType() array.Dtype {
	if m.device == "cpu" {
		return array.Float32
	}
	return m.dtype
}

// stacked loads a matrix of every expert as [experts, cols, rows].
func (m stockLoader) stacked(w *weights.Model, layer int, name string, rows, cols int) (*array.Array, error) {
	s := array.NewScope()
	defer s.Close()
	var all []*array.Array
	for e := range m.config.Layers[layer].Experts.Count {
		t, err := w.Tensor(arch.ExpertPrefix(layer, e)+name, rows, cols)
		if err != nil {
			return nil, err
		}
		all = append(all, s.AsType(array.New(s, t.Floats(), array.Float32, 1, rows, cols), m.expertType()))
		if err := s.Eval(all[e]); err != nil {
			return nil, err
		}
	}
	stack := s.Concat(0, all...)
	if err := s.Eval(stack); err != nil {
		return nil, err
	}
	return m.constants.Transpose(s.Keep(stack, m.constants), 0, 2, 1), m.constants.Err()
}

// mixture is the sum of the outputs of each row's experts, for normed rows x [n, hidden].
func (l stockLayer) mixture(m *stockDecoder, s *array.Scope, x *array.Array, n int) *array.Array {
	used := l.Experts.Used
	scores := s.AsType(s.Matmul(x, l.experts.router), array.Float32)
	order := array.ArgSort(s, m.scale(s, scores, -1), 1)
	chosen := s.Contiguous(s.Slice(order, []int{0, 0}, []int{n, used}))
	shares := s.Softmax(scores, 1)
	if l.Experts.IsNormed {
		shares = s.Softmax(array.TakeAlong(s, scores, chosen, 1), 1)
	} else {
		shares = array.TakeAlong(s, shares, chosen, 1)
	}
	rows := s.Reshape(x, n, 1, 1, m.config.Hidden)
	inner := s.Mul(m.activate(s, l.Activation, array.GatherMatmul(s, rows, l.experts.gate, chosen)), array.GatherMatmul(s, rows, l.experts.up, chosen))
	outputs := s.Reshape(array.GatherMatmul(s, inner, l.experts.down, chosen), n, used, m.config.Hidden)
	return s.AsType(array.Sum(s, s.Mul(outputs, s.Reshape(shares, n, used, 1)), 1), m.dtype)
}
