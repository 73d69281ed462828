package weights

import (
	"encoding/binary"
	"math"
)

// Floats returns the tensor's elements as float32, in row-major order.
func (t Tensor) Floats() []float32 {
	elements, bytes := t.Type.block()
	out := make([]float32, 0, len(t.Data)/bytes*elements)
	var b block
	for at := 0; at < len(t.Data); at += bytes {
		raw := t.Data[at : at+bytes]
		switch t.Type {
		case F32, U32:
			out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		case F16:
			out = append(out, half(raw))
		case BF16:
			out = append(out, math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw))<<16))
		default:
			b.read(t.Type, raw)
			out = b.appendFloats(out)
		}
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
