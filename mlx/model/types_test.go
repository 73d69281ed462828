//go:build cgo

package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// TestEveryTypeIsPackedAsItReads holds the kernels' packing in C++ to the reader in Go: both widen the same
// raw rows.
func TestEveryTypeIsPackedAsItReads(t *testing.T) {
	const rows, width = 40, 96
	for _, kind := range []weights.Type{weights.F32, weights.F16, weights.BF16, weights.Q8_0, weights.Q4_0, weights.Q4_1} {
		tensor := weights.Tensor{Name: kind.String(), Type: kind, Shape: []int{rows, width}}
		tensor.Data = randomRows(kind, rows*tensor.RowBytes())
		m, err := array.NewMatrix(rows, width, array.Source(kind))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Free()
		if err := packTensor(m, tensor, part{"", rows, columnsFrom(0)}, false); err != nil {
			t.Fatal(err)
		}
		want := tensor.Floats()
		for r := range rows {
			got, err := m.Column(r)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range got {
				w := float64(want[r*width+i])
				if math.Abs(float64(x)-w) > math.Abs(w)/256+1e-7 {
					t.Fatalf("%s row %d input %d: packed as %g, read as %g", kind, r, i, x, w)
				}
			}
		}
	}
}

// randomRows are random bytes whose f16 and bf16 numbers are finite and not tiny.
func randomRows(kind weights.Type, n int) []byte {
	r := rand.New(rand.NewPCG(3, uint64(kind)))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	step := map[weights.Type]int{weights.F32: 4, weights.F16: 2, weights.BF16: 2, weights.Q8_0: 34, weights.Q4_0: 18, weights.Q4_1: 20}[kind]
	for at := 0; at < n; at += step {
		high := []int{at + 1}
		switch kind {
		case weights.F32:
			high = []int{at + 3}
		case weights.Q4_1:
			high = append(high, at+3)
		}
		for _, i := range high {
			out[i] = out[i]&0x83 | 0x30 // a middling exponent
		}
	}
	return out
}

func TestADeviceThatIsNotThereIsRefused(t *testing.T) {
	if _, err := array.OpenDevice("quantum"); err == nil {
		t.Error("an unknown device opens")
	}
	if _, err := array.OpenKernels("mmx", 0); err == nil {
		t.Error("an unknown instruction set opens")
	}
	if _, err := Open(Config{Dtype: "float8", Device: "cpu"}); err == nil {
		t.Error("an unknown dtype opens")
	}
}
