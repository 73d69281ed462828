//go:build cgo

package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// widened counts the quantised tensors that became bf16, since no panels hold them, or since they share a
// matrix with others whose panels are not theirs.
type widened struct {
	tensors      int
	types        []string
	file, memory int64 // bytes
}

// add counts the quantised tensors of a matrix that is bf16.
func (w *widened) add(m *array.Matrix, tensors []weights.Tensor) {
	counted := w.tensors
	for _, t := range tensors {
		isFloat := t.Type == weights.F32 || t.Type == weights.F16 || t.Type == weights.BF16
		if isFloat && t.Foreign == "" {
			continue
		}
		w.tensors++
		w.file += cmp.Or(t.Stored, int64(len(t.Data)))
		if name := cmp.Or(t.Foreign, t.Type.String()); !slices.Contains(w.types, name) {
			w.types = append(w.types, name)
		}
	}
	if w.tensors > counted {
		w.memory += m.Bytes()
	}
}

// notes say what the widening costs.
func (w *widened) notes() []string {
	if w.tensors == 0 {
		return nil
	}
	types := slices.Sorted(slices.Values(w.types))
	return []string{fmt.Sprintf("%d tensors of %s became bf16: %.1f MB of memory, %.1f MB in the file",
		w.tensors, strings.Join(types, ", "), float64(w.memory)/1e6, float64(w.file)/1e6)}
}
