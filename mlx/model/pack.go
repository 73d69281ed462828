//go:build cgo

package model

import (
	"encoding/binary"
	"fmt"
	"math"

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

// bitsOf is the number of bits that a type is packed into.
func bitsOf(t weights.Type) int {
	switch t {
	case weights.Q8_0:
		return 8
	case weights.Q4_0, weights.Q4_1:
		return 4
	}
	return 16
}

// pack builds an n x k matrix from tensors with k inputs. Tensors of different families meet in bf16.
func pack(m *weights.Model, n, k int, parts ...part) (*array.Matrix, error) {
	tensors, isMixed := make([]weights.Tensor, len(parts)), false
	for i, p := range parts {
		t, err := m.Tensor(p.name, p.rows, k)
		if err != nil {
			return nil, err
		}
		tensors[i] = t
		isMixed = isMixed || bitsOf(t.Type) != bitsOf(tensors[0].Type)
	}
	source := array.Source(tensors[0].Type)
	if isMixed {
		source = array.FromF32
	}
	out, err := array.NewMatrix(n, k, source)
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		if err := packTensor(out, tensors[i], p, isMixed); err != nil {
			out.Free()
			return nil, fmt.Errorf("pack %s: %w", p.name, err)
		}
	}
	return out, nil
}

func packTensor(m *array.Matrix, t weights.Tensor, p part, asFloats bool) error {
	columns := make([]int32, p.rows)
	for r := range columns {
		columns[r] = int32(p.column(r))
	}
	if asFloats {
		return m.Pack(array.FromF32, floatBytes(t.Floats()), columns)
	}
	return m.Pack(array.Source(t.Type), t.Data, columns)
}

func floatBytes(v []float32) []byte {
	out := make([]byte, 0, 4*len(v))
	for _, f := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	return out
}
