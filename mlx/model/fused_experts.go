//go:build cgo

package model

import (
	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// fusedExperts are a layer's feed-forward parts. Rows are brought together by the expert that they are routed to; by
// the kernels' contract a row's output has the same bits whichever rows come with it, and each row adds its
// outputs in the order of its own scores.
type fusedExperts struct {
	arch.Experts
	router       *array.Matrix
	gateUp, down []*array.Matrix
}

// matrices are all, some of them nil where loading failed.
func (x *fusedExperts) matrices() []*array.Matrix {
	if x == nil {
		return nil
	}
	return append(append([]*array.Matrix{x.router}, x.gateUp...), x.down...)
}

// loadExperts returns what it has when it fails, to be freed.
func (m fusedLoader) loadExperts(w *weights.Model, layer int) (x *fusedExperts, err error) {
	shape := m.config.Layers[layer]
	x = &fusedExperts{Experts: shape.Experts}
	if x.router, err = m.pack(w, x.Count, m.config.Hidden, part{arch.LayerPrefix(layer) + "router", x.Count, columnsFrom(0)}); err != nil {
		return x, err
	}
	for e := range x.Count {
		gateUp, down, err := m.loadGateUpDown(w, arch.ExpertPrefix(layer, e), shape.Intermediate)
		x.gateUp, x.down = append(x.gateUp, gateUp), append(x.down, down)
		if err != nil {
			return x, err
		}
	}
	return x, nil
}

// addExperts returns h and what its rows' experts make of it. Which experts those are is computed here, so all before it
// is evaluated.
func (m *fusedDecoder) addExperts(s *array.Scope, l fusedLayer, h *array.Array, phase array.Phase) *array.Array {
	x := l.experts
	scores, err := s.Floats(m.kernels.NormHead(s, h, l.ffnNorm, x.router))
	if err != nil {
		return h // the scope keeps the error
	}
	routes := route(scores, x.Experts)
	var outputs []*array.Array
	for e, rows := range routes.rows {
		if len(rows) > 0 {
			outputs = append(outputs, m.expert(s, l, e, s.Take(h, array.New(s, rows, array.Int32, len(rows)), 0), len(rows), phase))
		}
	}
	all, n := s.Concat(0, outputs...), len(scores)/x.Count
	for j := range x.Used {
		y := s.Take(all, array.New(s, routes.places[j], array.Int32, n), 0)
		h = s.Add(h, s.Mul(y, array.New(s, routes.shares[j], array.Float32, n, 1)))
	}
	return h
}

// expert computes an expert's output for rows of h.
func (m *fusedDecoder) expert(s *array.Scope, l fusedLayer, e int, h *array.Array, rows int, phase array.Phase) *array.Array {
	b := array.NewBatch(phase)
	defer b.Free()
	b.AddRows(rows)
	inner := m.kernels.NormGateUp(s, l.gate, h, l.ffnNorm, l.experts.gateUp[e], b)
	zeros := array.New(s, make([]float32, rows*m.config.Hidden), array.Float32, rows, m.config.Hidden)
	return m.kernels.LinearResidual(s, inner, array.Linear{Weight: l.experts.down[e]}, zeros, b)
}
