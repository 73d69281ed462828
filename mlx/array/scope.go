//go:build cgo

package array

// #include "array.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Array is a tensor of a scope. It is a value in MLX's lazy graph until evaluated.
type Array struct{ h *C.am_array }

// Scope owns the arrays made through it.
type Scope struct{ owner }

// owner holds arrays, and the first error that came with one.
type owner struct {
	arrays []*Array
	err    error
}

// NewScope returns an empty scope. Close it.
func NewScope() *Scope { return &Scope{} }

// Close frees the scope's arrays.
func (s *owner) Close() {
	for _, a := range s.arrays {
		a.free()
	}
	s.arrays = nil
}

func (a *Array) free() {
	if a.h != nil {
		C.am_free(a.h)
		a.h = nil
	}
}

// Err is the first error of an operator of this scope.
func (s *owner) Err() error { return s.err }

// Keep moves a into the scope to, which outlives s.
func (s *Scope) Keep(a *Array, to *Scope) *Array {
	for i, x := range s.arrays {
		if x == a {
			s.arrays = append(s.arrays[:i], s.arrays[i+1:]...)
			to.arrays = append(to.arrays, a)
			break
		}
	}
	return a
}

func (s *owner) fail(err error) *Array {
	if s.err == nil {
		s.err = err
	}
	return &Array{}
}

func (s *owner) own(h *C.am_array) *Array {
	if h == nil {
		return s.fail(lastError())
	}
	a := &Array{h: h}
	s.arrays = append(s.arrays, a)
	return a
}

var (
	errFreed  = errors.New("mlx: an array was used after its scope closed, or none was given")
	errBounds = errors.New("mlx: slice needs a start and a stop for every axis")
)

// op runs f unless the scope failed before or an input is gone.
func (s *owner) op(f func() *C.am_array, inputs ...*Array) *Array {
	if s.err != nil {
		return &Array{}
	}
	for _, a := range inputs {
		if a == nil || a.h == nil {
			return s.fail(errFreed)
		}
	}
	return s.own(f())
}

// New copies data, len = product of shape, into an array.
func New[T float32 | int32 | uint16 | uint32](s *Scope, data []T, dtype Dtype, shape ...int) *Array {
	var zero T
	return s.FromBytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(zero))), dtype, shape...)
}

// FromBytes copies data in row-major order into an array.
func (s *Scope) FromBytes(data []byte, dtype Dtype, shape ...int) *Array {
	n := dtype.Size()
	for _, d := range shape {
		n *= d
	}
	if n != len(data) {
		return s.fail(fmt.Errorf("mlx: from_data%v of %d-byte elements takes %d bytes, got %d", shape, dtype.Size(), n, len(data)))
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	var p unsafe.Pointer
	if len(data) > 0 {
		p = unsafe.Pointer(&data[0])
		pin.Pin(p)
	}
	dims := cInts(shape)
	return s.op(func() *C.am_array { return C.am_from_data(p, first(dims), C.int(len(dims)), C.int(dtype)) })
}

func cInts(v []int) []C.int {
	out := make([]C.int, len(v))
	for i, x := range v {
		out[i] = C.int(x)
	}
	return out
}

func first(v []C.int) *C.int {
	if len(v) == 0 {
		return nil
	}
	return &v[0]
}

// Eval computes the arrays.
func (s *owner) Eval(arrays ...*Array) error {
	if s.err != nil {
		return s.err
	}
	handles := make([]*C.am_array, len(arrays))
	for i, a := range arrays {
		if a == nil || a.h == nil {
			s.fail(errFreed)
			return s.err
		}
		handles[i] = a.h
	}
	if len(handles) > 0 && C.am_eval(&handles[0], C.int(len(handles))) != 0 {
		s.fail(lastError())
	}
	return s.err
}

// Shape is the array's dimensions; nil for one that failed.
func (a *Array) Shape() []int {
	if a.h == nil {
		return nil
	}
	out := make([]int, int(C.am_ndim(a.h)))
	for i := range out {
		out[i] = int(C.am_dim(a.h, C.int(i)))
	}
	return out
}

// Dtype is the type of the array's elements; Float32 for one that failed.
func (a *Array) Dtype() Dtype {
	if a.h == nil {
		return Float32
	}
	return Dtype(C.am_dtype(a.h))
}

// Floats evaluates a float32 array and returns its elements without copying: valid while the scope is open.
func (s *owner) Floats(a *Array) ([]float32, error) {
	p, n, err := s.data(a, Float32)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*float32)(p), n), nil
}

// Uint16s evaluates a bfloat16, float16 or uint16 array and returns its elements' bits, as Floats does.
func (s *owner) Uint16s(a *Array) ([]uint16, error) {
	p, n, err := s.data(a, BFloat16, Float16, Uint16)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*uint16)(p), n), nil
}

func (s *owner) data(a *Array, allowed ...Dtype) (unsafe.Pointer, int, error) {
	if s.err != nil {
		return nil, 0, s.err
	}
	if a == nil || a.h == nil {
		s.fail(errFreed)
		return nil, 0, s.err
	}
	for _, d := range allowed {
		if Dtype(C.am_dtype(a.h)) == d {
			p := C.am_data(a.h)
			if p == nil {
				s.fail(lastError())
				return nil, 0, s.err
			}
			return unsafe.Pointer(p), int(C.am_size(a.h)), nil
		}
	}
	s.fail(fmt.Errorf("mlx: elements of an array of another type than %v were asked for", allowed))
	return nil, 0, s.err
}
