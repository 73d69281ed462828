//go:build cgo

package array

// #include "array.h"
import "C"

func (s *Scope) binary(op C.int, a, b *Array) *Array {
	return s.op(func() *C.am_array { return C.am_binary(op, a.h, b.h) }, a, b)
}

// Add is a + b with broadcasting.
func (s *Scope) Add(a, b *Array) *Array { return s.binary(C.AM_ADD, a, b) }

// Mul is a * b, element by element, with broadcasting.
func (s *Scope) Mul(a, b *Array) *Array { return s.binary(C.AM_MULTIPLY, a, b) }

// Matmul is the matrix product over the last two axes.
func (s *Scope) Matmul(a, b *Array) *Array { return s.binary(C.AM_MATMUL, a, b) }

// LessEqual is a <= b as booleans.
func (s *Scope) LessEqual(a, b *Array) *Array { return s.binary(C.AM_LESS_EQUAL, a, b) }

func (s *Scope) unary(op C.int, a *Array) *Array {
	return s.op(func() *C.am_array { return C.am_unary(op, a.h) }, a)
}

// Sigmoid is 1 / (1 + exp(-a)).
func (s *Scope) Sigmoid(a *Array) *Array { return s.unary(C.AM_SIGMOID, a) }

// Tanh is the hyperbolic tangent.
func (s *Scope) Tanh(a *Array) *Array { return s.unary(C.AM_TANH, a) }

// Contiguous is a in row-major order.
func (s *Scope) Contiguous(a *Array) *Array { return s.unary(C.AM_CONTIGUOUS, a) }

// AsType converts the elements.
func (s *Scope) AsType(a *Array, d Dtype) *Array {
	return s.op(func() *C.am_array { return C.am_astype(a.h, C.int(d)) }, a)
}

// Reshape keeps the elements in row-major order; one dimension may be -1.
func (s *Scope) Reshape(a *Array, shape ...int) *Array {
	dims := cInts(shape)
	return s.op(func() *C.am_array { return C.am_reshape(a.h, first(dims), C.int(len(dims))) }, a)
}

// Transpose permutes the axes.
func (s *Scope) Transpose(a *Array, axes ...int) *Array {
	v := cInts(axes)
	return s.op(func() *C.am_array { return C.am_transpose(a.h, first(v), C.int(len(v))) }, a)
}

// Slice is a[start:stop] along every axis.
func (s *Scope) Slice(a *Array, start, stop []int) *Array {
	from, to := cInts(start), cInts(stop)
	return s.bounded(len(from), len(to), a, func() *C.am_array {
		return C.am_slice(a.h, first(from), first(to), C.int(len(from)))
	}, a)
}

// SliceUpdate is a with a[start:stop] replaced by update.
func (s *Scope) SliceUpdate(a, update *Array, start, stop []int) *Array {
	from, to := cInts(start), cInts(stop)
	return s.bounded(len(from), len(to), a, func() *C.am_array {
		return C.am_slice_update(a.h, update.h, first(from), first(to), C.int(len(from)))
	}, a, update)
}

// bounded refuses bounds that do not name every axis of a: MLX reads past the end of shorter ones.
func (s *Scope) bounded(from, to int, a *Array, f func() *C.am_array, inputs ...*Array) *Array {
	if n := len(a.Shape()); s.err == nil && a.h != nil && (from != n || to != n) {
		return s.fail(errBounds)
	}
	return s.op(f, inputs...)
}

// Concat joins arrays along an axis.
func (s *Scope) Concat(axis int, arrays ...*Array) *Array {
	return s.op(func() *C.am_array {
		handles := make([]*C.am_array, len(arrays))
		for i, a := range arrays {
			handles[i] = a.h
		}
		if len(handles) == 0 {
			return nil
		}
		return C.am_concat(&handles[0], C.int(len(handles)), C.int(axis))
	}, arrays...)
}

// Take picks rows of a along an axis. Indices are not checked by MLX.
func (s *Scope) Take(a, indices *Array, axis int) *Array {
	return s.op(func() *C.am_array { return C.am_take(a.h, indices.h, C.int(axis)) }, a, indices)
}

// Softmax is taken along an axis, in float32.
func (s *Scope) Softmax(a *Array, axis int) *Array {
	return s.op(func() *C.am_array { return C.am_softmax(a.h, C.int(axis)) }, a)
}

// RMSNorm is x / rms(x) * w over the last axis.
func (s *Scope) RMSNorm(x, w *Array, eps float32) *Array {
	return s.op(func() *C.am_array { return C.am_rms_norm(x.h, w.h, C.float(eps)) }, x, w)
}

// Rope rotates x [.., tokens, dim], its first dims dimensions in halves, from position offset on. freqs holds the
// wavelengths' reciprocals' inverses as MLX takes them: base^(2i/dims), one for each pair.
func (s *Scope) Rope(x *Array, dims int, offset int, freqs *Array) *Array {
	return s.op(func() *C.am_array { return C.am_rotate(x.h, C.int(dims), 1, C.int(offset), freqs.h) }, x, freqs)
}

// Attention is softmax(q k^T scale + mask) v for q [1, heads, rows, dim] and k, v [1, kv heads, tokens, dim].
// mask may be nil; it is boolean (true: visible) or added.
func (s *Scope) Attention(q, k, v *Array, scale float32, mask *Array) *Array {
	if mask == nil {
		return s.op(func() *C.am_array { return C.am_attention(q.h, k.h, v.h, C.float(scale), nil) }, q, k, v)
	}
	return s.op(func() *C.am_array { return C.am_attention(q.h, k.h, v.h, C.float(scale), mask.h) }, q, k, v, mask)
}
