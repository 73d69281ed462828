package weights

import (
	"encoding/binary"
	"math"
)

// Floats returns the tensor's elements as float32, in row-major order.
func (t Tensor) Floats() []float32 {
	elements, bytes := t.Type.block()
	out := make([]float32, 0, len(t.Data)/bytes*elements)
	for at := 0; at < len(t.Data); at += bytes {
		out = t.Type.appendBlock(out, t.Data[at:at+bytes])
	}
	return out
}

// appendBlock appends one block's elements; layouts as in ggml's block_q8_0, block_q4_0 and block_q4_1.
func (t Type) appendBlock(out []float32, b []byte) []float32 {
	switch t {
	case F32:
		return append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case F16:
		return append(out, half(b))
	case BF16:
		return append(out, math.Float32frombits(uint32(binary.LittleEndian.Uint16(b))<<16))
	case Q8_0:
		d := half(b)
		for _, q := range b[2:34] {
			out = append(out, d*float32(int8(q)))
		}
		return out
	case Q4_0:
		d := half(b)
		return appendNibbles(out, b[2:18], d, -8*d)
	}
	return appendNibbles(out, b[4:20], half(b), half(b[2:]))
}

func appendNibbles(out []float32, q []byte, d, m float32) []float32 {
	for _, v := range q {
		out = append(out, d*float32(v&15)+m)
	}
	for _, v := range q {
		out = append(out, d*float32(v>>4)+m)
	}
	return out
}

// half widens an IEEE 754 binary16.
func half(b []byte) float32 {
	h := uint32(binary.LittleEndian.Uint16(b))
	sign, exponent, fraction := h&0x8000<<16, h>>10&31, h&1023
	switch exponent {
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case 0:
		f := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(f))
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
