//go:build cgo

package array

// #include "array.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// RestBytes is what rows of so many bytes in bf16 take at rest in 16, 8 or 4 bits.
func (h Heads) RestBytes(rowBytes, bits int) int {
	return int(C.am_rest_bytes(h.c(), C.size_t(rowBytes/2), C.int(bits)))
}

// Pack turns rows of bf16 into 8 or 4 bits: groups along the head, each with a scale and a minimum.
func (h Heads) Pack(rows []byte, bits int) []byte {
	out := make([]byte, h.RestBytes(len(rows), bits))
	if len(rows) > 0 {
		C.am_rest_pack(h.c(), unsafe.Pointer(&rows[0]), C.size_t(len(rows)/2), C.int(bits), unsafe.Pointer(&out[0]))
	}
	return out
}

// Unpack is the inverse of Pack, into rows of the given length, up to the rounding.
func (h Heads) Unpack(packed []byte, bits, rowBytes int) ([]byte, error) {
	if want := h.RestBytes(rowBytes, bits); len(packed) != want || rowBytes == 0 {
		return nil, fmt.Errorf("rows in %d bits: %d bytes given, %d needed", bits, len(packed), want)
	}
	rows := make([]byte, rowBytes)
	C.am_rest_unpack(h.c(), unsafe.Pointer(&packed[0]), C.size_t(rowBytes/2), C.int(bits), unsafe.Pointer(&rows[0]))
	return rows, nil
}
