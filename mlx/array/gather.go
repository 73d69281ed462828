//go:build cgo

package array

// #include "array.h"
import "C"

// TakeAlong picks the elements of a that indices name along an axis, in every other place.
func TakeAlong(s *Scope, a, indices *Array, axis int) *Array {
	return s.op(func() *C.am_array { return C.am_take_along(a.h, indices.h, C.int(axis)) }, a, indices)
}

// ArgSort is the order along an axis, the smallest first and the first of equals first.
func ArgSort(s *Scope, a *Array, axis int) *Array {
	return s.op(func() *C.am_array { return C.am_argsort(a.h, C.int(axis)) }, a)
}

// Sum is taken along an axis, which goes.
func Sum(s *Scope, a *Array, axis int) *Array {
	return s.op(func() *C.am_array { return C.am_sum(a.h, C.int(axis)) }, a)
}

// GatherMatmul is the matrix product of a with those matrices of b that indices name: a has indices' shape, or one
// that broadcasts to it, before its last two axes.
func GatherMatmul(s *Scope, a, b, indices *Array) *Array {
	return s.op(func() *C.am_array { return C.am_gather_matmul(a.h, b.h, indices.h) }, a, b, indices)
}
