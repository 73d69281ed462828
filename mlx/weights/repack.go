package weights

import (
	"encoding/binary"
	"math"
)

// PanelTypes are the types of rows that a matrix may be packed from, the narrowest first. F32, F16, BF16, Q8_0,
// Q4_0, Q4_1 and Q5_1 are packed as they are. Q5_0 becomes Q5_1 or Q8_0, IQ4_NL Q8_0, which is exact. Q4_K
// becomes Q4_1, Q5_K Q5_1, Q3_K and Q6_K Q6, IQ4_XS Q8_0; each of their groups' scales and minima, products of a
// half and four to eight bits, is rounded to a half. MXFP4 becomes Q8_0 where all of its scales, powers of two, are
// halves. Where one is too large for that, and for all others, there is F32, which every tensor may become.
func (t Tensor) PanelTypes() []Type {
	narrow := map[Type][]Type{
		Q5_0: {Q5_1, Q8_0}, IQ4_NL: {Q8_0}, IQ4_XS: {Q8_0}, MXFP4: {Q8_0}, Q4_K: {Q4_1}, Q5_K: {Q5_1}, Q3_K: {Q6}, Q6_K: {Q6},
		F16: {F16}, BF16: {BF16}, Q8_0: {Q8_0}, Q4_0: {Q4_0}, Q4_1: {Q4_1}, Q5_1: {Q5_1},
	}[t.Type]
	if len(narrow) > 0 && narrow[0] != t.Type && t.Type != IQ4_NL && !t.fitsHalf() {
		narrow = narrow[1:]
	}
	return append(narrow, F32)
}

// fitsHalf reports whether every group's scale and minimum can be rounded to a half. Q5_0 gets a minimum.
func (t Tensor) fitsHalf() bool {
	_, bytes := t.Type.block()
	var b block
	for at := 0; at < len(t.Data); at += bytes {
		b.readScales(t.Type, t.Data[at:at+bytes])
		if t.Type == Q5_0 {
			b.giveMinimum()
		}
		groups := b.length / b.group
		if t.Type == MXFP4 && !isHalf(b.scales[0]) {
			return false
		}
		if !fitsHalf(b.scales[:groups]) || b.hasMinima && !fitsHalf(b.minima[:groups]) {
			return false
		}
	}
	return true
}

// isHalf reports whether a power of two is a half.
func isHalf(power float32) bool { return power >= 1.0/(1<<24) && power <= halfMax }

// giveMinimum makes a block of Q5_0 one of Q5_1: with numbers from 0 to 31, and a minimum.
func (b *block) giveMinimum() {
	b.hasMinima, b.minima[0] = true, -q5Zero*b.scales[0]
	for i := range b.numbers[:b.length] {
		b.numbers[i] += q5Zero
	}
}

// PanelRows returns the rows from one up to another as one of PanelTypes.
func (t Tensor) PanelRows(kind Type, from, to int) []byte {
	t.Data = t.Data[from*t.RowBytes() : to*t.RowBytes()]
	switch {
	case kind == t.Type:
		return t.Data
	case kind == Q8_0:
		return t.repack(appendQ8)
	case kind == Q4_1:
		return t.repack(appendQ41)
	case kind == Q5_1:
		return t.repack(appendQ51)
	case kind == Q6:
		return t.repack(appendQ6)
	}
	var out []byte
	for _, f := range t.Floats() {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	return out
}

// repack appends all blocks in another type.
func (t Tensor) repack(appendBlock func(out []byte, b *block) []byte) (out []byte) {
	_, bytes := t.Type.block()
	var b block
	for at := 0; at < len(t.Data); at += bytes {
		b.read(t.Type, t.Data[at:at+bytes])
		out = appendBlock(out, &b)
	}
	return out
}

// appendQ8 appends groups of 32 numbers without minima as Q8_0. A scale that is a half stays what it is.
func appendQ8(out []byte, b *block) []byte {
	for at := 0; at < b.length; at += blockLength {
		out = binary.LittleEndian.AppendUint16(out, toHalf(b.scales[at/b.group]))
		for _, q := range b.numbers[at : at+blockLength] {
			out = append(out, byte(q))
		}
	}
	return out
}

// appendScale appends the scale and the minimum of the group that begins with a number.
func appendScale(out []byte, b *block, at int) []byte {
	out = binary.LittleEndian.AppendUint16(out, toHalf(b.scales[at/b.group]))
	return binary.LittleEndian.AppendUint16(out, toHalf(b.minima[at/b.group]))
}

// appendNibbles appends the lower halves of 32 numbers.
func appendNibbles(out []byte, numbers []int8) []byte {
	for i := range blockLength / 2 {
		out = append(out, byte(numbers[i]&15|numbers[i+blockLength/2]<<4))
	}
	return out
}

// appendQ41 appends groups of 32 numbers of 4 bits as Q4_1.
func appendQ41(out []byte, b *block) []byte {
	for at := 0; at < b.length; at += blockLength {
		out = appendNibbles(appendScale(out, b, at), b.numbers[at:])
	}
	return out
}

// appendQ51 appends groups of 32 numbers of 5 bits as Q5_1.
func appendQ51(out []byte, b *block) []byte {
	if !b.hasMinima {
		b.giveMinimum()
	}
	for at := 0; at < b.length; at += blockLength {
		fifths := uint32(0)
		for i, q := range b.numbers[at : at+blockLength] {
			fifths |= uint32(q>>4) & 1 << i
		}
		out = binary.LittleEndian.AppendUint32(appendScale(out, b, at), fifths)
		out = appendNibbles(out, b.numbers[at:])
	}
	return out
}

// appendQ6 appends groups of 16 numbers of up to 6 bits as Q6.
func appendQ6(out []byte, b *block) []byte {
	for at := 0; at < b.length; at += blockLength {
		out = binary.LittleEndian.AppendUint16(out, toHalf(b.scales[at/b.group]))
		out = binary.LittleEndian.AppendUint16(out, toHalf(b.scales[at/b.group+1]))
		for _, q := range b.numbers[at : at+blockLength] {
			out = append(out, byte(q))
		}
	}
	return out
}
