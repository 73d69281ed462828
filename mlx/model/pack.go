//go:build cgo

package model

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// part is one tensor's place in a packed matrix: row r goes to column(r).
type part struct {
	name   string
	rows   int
	column func(row int) int
}

// columnsFrom maps row r to column n + r.
func columnsFrom(n int) func(int) int { return func(r int) int { return n + r } }

// pairsToHalves maps the rows of Q or K from pairs, as llama.cpp stores Llama's, to halves.
func pairsToHalves(dim, rotary, offset int) func(int) int {
	return func(r int) int {
		head, i := r/dim*dim, r%dim
		if i < rotary {
			i = i%2*(rotary/2) + i/2
		}
		return offset + head + i
	}
}

// halfPanel is how many columns of gate, and as many of up, a panel has.
const halfPanel = array.PanelColumns / 2

// gateUp spreads rows over panels of half gate and half up columns.
func gateUp(offset int) func(int) int {
	return func(r int) int { return r/halfPanel*array.PanelColumns + r%halfPanel + offset }
}

// sourceOf is the kernels' name of a type of rows.
func sourceOf(t weights.Type) array.Source {
	return map[weights.Type]array.Source{
		weights.F32: array.FromF32, weights.F16: array.FromF16, weights.BF16: array.FromBF16, weights.Q8_0: array.FromQ8,
		weights.Q4_0: array.FromQ4, weights.Q4_1: array.FromQ41, weights.Q5_1: array.FromQ51, weights.Q6: array.FromQ6,
	}[t]
}

// meetTensors chooses the types that tensors are packed from.
func meetTensors(tensors []weights.Tensor) []weights.Type {
	options := make([][]weights.Type, len(tensors))
	for i, t := range tensors {
		options[i] = t.PanelTypes()
	}
	return meet(options)
}

// pack builds an n x k matrix from tensors with k inputs. Tensors whose panels differ meet in bf16.
func (m fusedLoader) pack(w *weights.Model, n, k int, parts ...part) (*array.Matrix, error) {
	tensors := make([]weights.Tensor, len(parts))
	for i, p := range parts {
		t, err := w.Tensor(p.name, p.rows, k)
		if err != nil {
			return nil, err
		}
		tensors[i] = t
	}
	kinds := meetTensors(tensors)
	out, err := array.NewMatrix(n, k, sourceOf(kinds[0]))
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		if err := packTensor(out, tensors[i], p, kinds[i]); err != nil {
			out.Free()
			return nil, fmt.Errorf("pack %s: %w", p.name, err)
		}
	}
	if bitsOf(kinds[0]) == 16 {
		m.widened.add(out, tensors)
	}
	return out, nil
}

// packedRows are as many rows as are brought into another type at once.
const packedRows = 1024

// packTensor packs a tensor's rows as those of a type that weights.Tensor.PanelRows gives.
func packTensor(m *array.Matrix, t weights.Tensor, p part, kind weights.Type) error {
	columns := make([]int32, p.rows)
	for r := range columns {
		columns[r] = int32(p.column(r))
	}
	for from := 0; from < p.rows; from += packedRows {
		to := min(from+packedRows, p.rows)
		if err := m.Pack(sourceOf(kind), t.PanelRows(kind, from, to), columns[from:to]); err != nil {
			return err
		}
	}
	return nil
}
