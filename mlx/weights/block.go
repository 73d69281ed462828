package weights

import (
	"encoding/binary"
	"math"
)

// block is one of ggml's quantised blocks, unpacked: each weight is the scale of its group times a small
// number, plus the group's minimum where the type has one. The layouts are those of ggml's block_q8_0 and
// others; the order of operations is that of the Python package gguf, bit for bit.
type block struct {
	numbers        [superblockLength]int8
	scales, minima [superblockLength / 16]float32
	length, group  int // weights of the block, and of each group
	hasMinima      bool
}

// read unpacks a block of a quantised type.
func (b *block) read(t Type, raw []byte) {
	b.readScales(t, raw)
	if b.length == superblockLength {
		b.readSuperNumbers(t, raw)
		return
	}
	rest := raw[2:]
	switch {
	case t == MXFP4:
		rest = raw[1:]
	case b.hasMinima || t == Q6:
		rest = raw[4:]
	}
	switch t {
	case Q8_0, Q6:
		for i, q := range rest {
			b.numbers[i] = int8(q)
		}
	case Q4_0:
		b.readNibbles(rest, 0, 8)
	case Q4_1:
		b.readNibbles(rest, 0, 0)
	case Q5_0:
		b.readNibbles(rest[4:], binary.LittleEndian.Uint32(rest), q5Zero)
	case Q5_1:
		b.readNibbles(rest[4:], binary.LittleEndian.Uint32(rest), 0)
	case IQ4_NL:
		b.readNibbles(rest, 0, 0)
		b.replace(&unevenSteps)
	case MXFP4:
		b.readNibbles(rest, 0, 0)
		b.replace(&halfSteps)
	}
}

// replace makes the numbers that sixteen ones stand for of what was read.
func (b *block) replace(steps *[16]int8) {
	for i, q := range b.numbers[:b.length] {
		b.numbers[i] = steps[q]
	}
}

// q5Zero is the number of Q5_0 that stands for zero.
const q5Zero = 16

// readScales unpacks the scales and the minima.
func (b *block) readScales(t Type, raw []byte) {
	if b.length, _ = t.block(); b.length == superblockLength {
		b.readSuperScales(t, raw)
		return
	}
	b.group, b.hasMinima = blockLength, t == Q4_1 || t == Q5_1
	if t == MXFP4 {
		b.scales[0] = halfPower(raw[0])
		return
	}
	b.scales[0] = half(raw)
	switch {
	case b.hasMinima:
		b.minima[0] = half(raw[2:])
	case t == Q6:
		b.group, b.scales[1] = blockLength/2, half(raw[2:])
	}
}

// unevenSteps are the sixteen numbers of IQ4_NL.
var unevenSteps = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// halfSteps are the sixteen numbers of MXFP4, twice as large so that they are whole: floats of two bits of exponent and
// one of fraction.
var halfSteps = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// halfPower is half of the power of two that an exponent of eight bits (E8M0) stands for.
func halfPower(exponent byte) float32 {
	if exponent < 2 { // subnormal
		return math.Float32frombits(0x00200000 << exponent)
	}
	return math.Float32frombits(uint32(exponent-1) << 23)
}

// readNibbles unpacks 32 numbers: the low halves of 16 bytes, then the high ones, with a fifth bit each, less
// the number that stands for zero.
func (b *block) readNibbles(nibbles []byte, fifth uint32, zero int8) {
	for i, v := range nibbles[:16] {
		b.numbers[i] = int8(uint32(v&15)|fifth>>i&1<<4) - zero
		b.numbers[16+i] = int8(uint32(v>>4)|fifth>>(16+i)&1<<4) - zero
	}
}

// appendFloats appends the block's weights. The conversions keep compilers from fusing product and sum.
func (b *block) appendFloats(out []float32) []float32 {
	for i, q := range b.numbers[:b.length] {
		f := float32(b.scales[i/b.group] * float32(q))
		if b.hasMinima {
			f += b.minima[i/b.group]
		}
		out = append(out, f)
	}
	return out
}
