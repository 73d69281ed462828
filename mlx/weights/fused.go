package weights

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// splitFused gives the rows of fused tensors the names of what they are. They stay where they are.
func (m *Model) splitFused(fused []arch.Fused) error {
	for layer := range m.Config.Layers {
		for _, f := range fused {
			name := arch.LayerPrefix(layer) + f.Part
			pieces := m.Config.Pieces(layer, f)
			if err := m.splitTensor(name, pieces); err != nil {
				return err
			}
			if err := m.splitAffine(name, pieces); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Model) splitTensor(name string, pieces []arch.Piece) error {
	t, ok := m.tensors[name]
	if !ok {
		return nil
	}
	delete(m.tensors, name)
	return cut(t, pieces, func(piece string, t Tensor) { m.tensors[piece] = t })
}

func (m *Model) splitAffine(name string, pieces []arch.Piece) error {
	a := m.affine[name]
	if a == nil {
		return nil
	}
	delete(m.affine, name)
	for _, p := range pieces {
		m.affine[p.Name] = &affine{}
	}
	for part, t := range map[string]Tensor{"weight": a.weight, "scales": a.scales, "biases": a.biases} {
		if err := cut(t, pieces, func(piece string, t Tensor) { m.affine[piece].setPart(part, t) }); err != nil {
			return err
		}
	}
	return nil
}

// cut gives each piece its rows of a tensor.
func cut(t Tensor, pieces []arch.Piece, give func(name string, t Tensor)) error {
	rows := 0
	for _, p := range pieces {
		rows += p.Rows
	}
	t = t.flat()
	if len(t.Shape) != 2 || t.Shape[0] != rows {
		return fmt.Errorf("tensor %s has shape %v, the configuration says %d rows", t.Name, t.Shape, rows)
	}
	from := 0
	for _, p := range pieces {
		piece, to := t, from+p.Rows
		piece.Name, piece.Shape = fmt.Sprintf("%s[%d:%d]", t.Name, from, to), []int{p.Rows, t.Shape[1]}
		if t.Data != nil {
			piece.Data = t.Data[from*t.RowBytes() : to*t.RowBytes() : to*t.RowBytes()]
		}
		give(p.Name, piece)
		from = to
	}
	return nil
}

// flat is a tensor of matrices that lie one behind the other, as one matrix.
func (t Tensor) flat() Tensor {
	last := len(t.Shape) - 1
	if last < 2 {
		return t
	}
	rows := 1
	for _, d := range t.Shape[:last] {
		rows *= d // of no more bytes than the file has
	}
	t.Shape = []int{rows, t.Shape[last]}
	return t
}
