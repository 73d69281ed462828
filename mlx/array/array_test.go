//go:build cgo

package array

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

func open(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	if _, err := OpenDevice("cpu"); err != nil {
		t.Fatal(err)
	}
}

func TestMatmulIsTheMatrixProduct(t *testing.T) {
	open(t)
	s := NewScope()
	defer s.Close()
	a := New(s, []float32{1, 2, 3, 4, 5, 6}, Float32, 2, 3)
	b := New(s, []float32{1, 0, 0, 1, 1, 1}, Float32, 3, 2)
	got, err := s.Floats(s.Matmul(a, b))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{4, 5, 10, 11} {
		if got[i] != want {
			t.Fatalf("got %v", got)
		}
	}
}

func TestAnExceptionBecomesAnErrorWithOperatorAndShapes(t *testing.T) {
	open(t)
	s := NewScope()
	defer s.Close()
	a := New(s, make([]float32, 6), Float32, 2, 3)
	bad := s.Matmul(a, a)
	_, err := s.Floats(s.Add(bad, a))
	if err == nil || !strings.Contains(err.Error(), "matmul(float32[2,3], float32[2,3])") {
		t.Fatalf("got %v", err)
	}
}

func TestMisuseFromGoIsAnError(t *testing.T) {
	open(t)
	closed := NewScope()
	gone := New(closed, []float32{1}, Float32, 1)
	closed.Close()
	for name, f := range map[string]func(s *Scope) *Array{
		"array of a closed scope": func(s *Scope) *Array { return s.Add(gone, gone) },
		"nil array":               func(s *Scope) *Array { return s.Sigmoid(nil) },
		"wrong length":            func(s *Scope) *Array { return New(s, []float32{1, 2}, Float32, 3) },
		"bad reshape":             func(s *Scope) *Array { return s.Reshape(New(s, []float32{1, 2}, Float32, 2), 3) },
		"bad axes":                func(s *Scope) *Array { return s.Transpose(New(s, []float32{1, 2}, Float32, 2), 0, 1) },
		"short bounds":            func(s *Scope) *Array { return s.Slice(New(s, []float32{1, 2}, Float32, 1, 2), []int{0}, []int{1}) },
		"concat of nothing":       func(s *Scope) *Array { return s.Concat(0) },
		"concat of shapes": func(s *Scope) *Array {
			return s.Concat(0, New(s, []float32{1, 2}, Float32, 1, 2), New(s, []float32{1, 2, 3}, Float32, 1, 3))
		},
	} {
		s := NewScope()
		if err := s.Eval(f(s)); err == nil {
			t.Errorf("%s: no error", name)
		}
		s.Close()
	}
}

func TestMemoryReturnsAfterAThousandScopes(t *testing.T) {
	open(t)
	before := ActiveMemory()
	for range 1000 {
		s := NewScope()
		a := New(s, make([]float32, 64*64), Float32, 64, 64)
		if err := s.Eval(s.Softmax(s.Matmul(a, a), -1)); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if after := ActiveMemory(); after != before {
		t.Fatalf("active memory was %d bytes and is %d", before, after)
	}
}

func TestTheMemoryLimitRefuses(t *testing.T) {
	open(t)
	if err := SetLimits(ActiveMemory()+1<<20, 1<<30); err != nil {
		t.Fatal(err)
	}
	defer SetLimits(0, 1<<30)
	s := NewScope()
	defer s.Close()
	small := New(s, make([]float32, 1000), Float32, 1000)
	if err := s.Eval(small); err != nil {
		t.Fatal(err)
	}
	New(s, make([]float32, 1<<20), Float32, 1<<20)
	if s.Err() == nil || !strings.Contains(s.Err().Error(), "memory limit") {
		t.Fatalf("got %v", s.Err())
	}
}

// One transformer layer by the own kernels is the same layer by MLX's stock operators.
func TestKernelsEqualStockOperators(t *testing.T) {
	open(t)
	for _, isa := range []string{"plain", "auto"} {
		k, err := OpenKernels(isa, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range []struct{ rows, width, heads, kv, dim, ff int }{
			{1, 64, 2, 1, 32, 96}, {7, 96, 3, 3, 32, 64}, {50, 576, 9, 3, 64, 1536}, {130, 40, 4, 2, 16, 50},
		} {
			compareLayer(t, k, shape.rows, shape.width, Heads{shape.heads, shape.kv, shape.dim}, shape.ff)
		}
	}
}

func random(r *rand.Rand, n int, sigma float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = bf16(float32(r.NormFloat64() * sigma))
	}
	return v
}

func bf16(f float32) float32 {
	return math.Float32frombits((math.Float32bits(f) + 0x8000) &^ 0xffff)
}

func matrix(t *testing.T, w []float32, n, k int, columns []int32, total int) *Matrix {
	m, err := NewMatrix(total, k, FromF32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Free)
	pack(t, m, w, n, k, columns)
	return m
}

func pack(t *testing.T, m *Matrix, w []float32, n, k int, columns []int32) {
	bytes := make([]byte, 0, 4*len(w))
	for _, x := range w {
		u := math.Float32bits(x)
		bytes = append(bytes, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	if err := m.Pack(FromF32, bytes, columns); err != nil {
		t.Fatal(err)
	}
}

func sequence(n int, f func(int) int) []int32 {
	v := make([]int32, n)
	for i := range v {
		v[i] = int32(f(i))
	}
	return v
}

func identity(i int) int { return i }

func compareLayer(t *testing.T, k *Kernels, rows, width int, heads Heads, ff int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(rows)))
	qkv := (heads.Heads + 2*heads.KVHeads) * heads.Dim
	padded := (ff + 31) / 32 * 32
	h, n1 := random(r, rows*width, 1), random(r, width, 1)
	wq, wo := random(r, qkv*width, 0.1), random(r, width*heads.Heads*heads.Dim, 0.1)
	gate, up, down := random(r, ff*width, 0.1), random(r, ff*width, 0.1), random(r, width*ff, 0.1)
	half := heads.Dim / 2
	cos, sin, freqs := make([]float32, rows*half), make([]float32, rows*half), make([]float32, half)
	for i := range half {
		freqs[i] = float32(math.Pow(10000, float64(i)/float64(half)))
		for p := range rows {
			cos[p*half+i], sin[p*half+i] = float32(math.Cos(float64(p)/float64(freqs[i]))), float32(math.Sin(float64(p)/float64(freqs[i])))
		}
	}

	s := NewScope()
	defer s.Close()
	rope, err := NewRopeTable(cos, sin, half)
	if err != nil {
		t.Fatal(err)
	}
	defer rope.Free()
	block, err := NewBlock(heads.BlockElements(1))
	if err != nil {
		t.Fatal(err)
	}
	defer block.Free()
	b := NewBatch(Prefill)
	defer b.Free()
	if err := b.Add([]*Block{block}, 0, rows); err != nil {
		t.Fatal(err)
	}
	mqkv := matrix(t, wq, qkv, width, sequence(qkv, identity), qkv)
	mo := matrix(t, wo, width, heads.Heads*heads.Dim, sequence(width, identity), width)
	mgu := matrix(t, gate, ff, width, sequence(ff, func(i int) int { return i/16*32 + i%16 }), 2*padded)
	pack(t, mgu, up, ff, width, sequence(ff, func(i int) int { return i/16*32 + 16 + i%16 }))
	mdown := matrix(t, down, width, ff, sequence(width, identity), width)

	ah, an := New(s, h, Float32, rows, width), New(s, n1, Float32, width)
	how := Scoring{Scale: float32(1 / math.Sqrt(float64(heads.Dim)))}
	norm := Norm{an, 1e-5}
	q := k.NormQKVRope(s, ah, Projection{Norm: norm, QKV: Linear{Weight: mqkv}, Heads: heads, Rope: rope}, b, 0)
	x := k.LinearResidual(s, k.Attention(s, q, heads, how, b, 0), Linear{Weight: mo}, ah, b)
	y := k.LinearResidual(s, k.NormGateUp(s, SiLU, x, norm, mgu, b), Linear{Weight: mdown}, x, b)
	got, err := s.Floats(y)
	if err != nil {
		t.Fatal(err)
	}

	linear := func(x *Array, w []float32, n, k int) *Array {
		return s.Matmul(x, s.Transpose(New(s, w, Float32, n, k), 1, 0))
	}
	split := func(a *Array, from, n int) *Array {
		part := s.Slice(a, []int{0, from * heads.Dim}, []int{rows, (from + n) * heads.Dim})
		return s.Transpose(s.Reshape(part, 1, rows, n, heads.Dim), 0, 2, 1, 3)
	}
	all := linear(s.RMSNorm(ah, an, 1e-5), wq, qkv, width)
	af := New(s, freqs, Float32, half)
	sq := s.Rope(split(all, 0, heads.Heads), heads.Dim, 0, af)
	sk := s.Rope(split(all, heads.Heads, heads.KVHeads), heads.Dim, 0, af)
	index := New(s, sequence(rows, identity), Int32, rows)
	mask := s.LessEqual(s.Reshape(index, 1, rows), s.Reshape(index, rows, 1))
	o := s.Attention(sq, sk, split(all, heads.Heads+heads.KVHeads, heads.KVHeads), how.Scale, mask)
	sx := s.Add(ah, linear(s.Reshape(s.Transpose(o, 0, 2, 1, 3), rows, heads.Heads*heads.Dim), wo, width, heads.Heads*heads.Dim))
	sn := s.RMSNorm(sx, an, 1e-5)
	g := linear(sn, gate, ff, width)
	want, err := s.Floats(s.Add(sx, linear(s.Mul(s.Mul(g, s.Sigmoid(g)), linear(sn, up, ff, width)), down, width, ff)))
	if err != nil {
		t.Fatal(err)
	}
	worst, top := 0.0, 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(want[i]-got[i])))
		top = max(top, math.Abs(float64(want[i])))
	}
	if worst/top > 0.03 || math.IsNaN(worst) {
		t.Errorf("%s %d rows of %d: relative error %.4f", k.Name(), rows, width, worst/top)
	}
}
