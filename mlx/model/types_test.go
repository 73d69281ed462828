//go:build cgo

package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// TestEveryTypeIsPackedAsItReads holds the kernels' packing in C++ to the reader in Go: both widen the same
// raw rows. A scale and a minimum of the K types are rounded to a half each, so that their error is one of the
// largest weights.
func TestEveryTypeIsPackedAsItReads(t *testing.T) {
	const rows, width = 40, 512
	for kind := weights.F32; kind < weights.Unread; kind++ {
		if kind == weights.U32 {
			continue
		}
		tensor := weights.Tensor{Name: kind.String(), Type: kind, Shape: []int{rows, width}}
		tensor.Data = randomRows(kind, rows*tensor.RowBytes())
		panel := tensor.PanelTypes()[0]
		m, err := array.NewMatrix(rows, width, sourceOf(panel))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Free()
		if err := packTensor(m, tensor, part{"", rows, columnsFrom(0)}, panel); err != nil {
			t.Fatal(err)
		}
		want, slack := tensor.Floats(), 1e-7
		if kind >= weights.Q3_K && kind <= weights.Q6_K {
			slack = float64(slices.Max(want)) / 2048
		}
		for r := range rows {
			got, err := m.Column(r)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range got {
				w := float64(want[r*width+i])
				if math.Abs(float64(x)-w) > math.Abs(w)/256+slack {
					t.Fatalf("%s row %d input %d: packed as %g, read as %g", kind, r, i, x, w)
				}
			}
		}
	}
}

// TestPanelsAreHardlyLargerThanTheFile measures matrices against their rows in the file. Q3_K takes the panels of
// Q6_K, IQ4_NL, IQ4_XS and MXFP4 those of Q8_0, and Q2_K has none.
func TestPanelsAreHardlyLargerThanTheFile(t *testing.T) {
	const rows, width = 64, 512
	for kind, most := range map[weights.Type]float64{
		weights.Q8_0: 1.01, weights.Q4_0: 1.12, weights.Q4_1: 1.01, weights.Q5_0: 1.1, weights.Q5_1: 1.01, weights.Q4_K: 1.12,
		weights.Q5_K: 1.1, weights.Q6_K: 1.07, weights.Q3_K: 2.04, weights.IQ4_NL: 1.89, weights.Q2_K: 6.1,
		weights.IQ4_XS: 2.01, weights.MXFP4: 2.01,
	} {
		tensor := weights.Tensor{Type: kind, Shape: []int{rows, width}}
		tensor.Data = randomRows(kind, rows*tensor.RowBytes())
		m, err := array.NewMatrix(rows, width, sourceOf(tensor.PanelTypes()[0]))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Free()
		if ratio := float64(m.Bytes()) / float64(len(tensor.Data)); ratio > most {
			t.Errorf("%s: a matrix takes %.2f times its rows, expected %.2f at most", kind, ratio, most)
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
	layout := blocksOf(kind)
	for at := 0; at < n; at += layout.bytes {
		for _, high := range layout.exponents {
			out[at+high] = out[at+high]&0x83 | 0x30 // a middling exponent
		}
		if kind == weights.MXFP4 {
			out[at] = 120 + out[at]&3
		}
	}
	return out
}

// blocksOf is how long a type's blocks are, and where in them the upper bytes of numbers lie.
func blocksOf(kind weights.Type) (l struct {
	bytes     int
	exponents []int
}) {
	l.exponents = []int{1}
	switch kind {
	case weights.F32:
		l.bytes, l.exponents = 4, []int{3}
	case weights.F16, weights.BF16:
		l.bytes = 2
	case weights.Q8_0:
		l.bytes = 34
	case weights.Q6:
		l.bytes, l.exponents = 36, []int{1, 3}
	case weights.Q4_0, weights.IQ4_NL:
		l.bytes = 18
	case weights.Q4_1:
		l.bytes, l.exponents = 20, []int{1, 3}
	case weights.Q5_0:
		l.bytes = 22
	case weights.Q5_1:
		l.bytes, l.exponents = 24, []int{1, 3}
	case weights.Q2_K:
		l.bytes, l.exponents = 84, []int{81, 83}
	case weights.Q3_K:
		l.bytes, l.exponents = 110, []int{109}
	case weights.Q4_K:
		l.bytes, l.exponents = 144, []int{1, 3}
	case weights.Q5_K:
		l.bytes, l.exponents = 176, []int{1, 3}
	case weights.Q6_K:
		l.bytes, l.exponents = 210, []int{209}
	case weights.IQ4_XS:
		l.bytes = 136
	case weights.MXFP4:
		l.bytes, l.exponents = 17, nil
	}
	return l
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
