package weights

import (
	"encoding/binary"
	"math"
)

// PanelType is the type of the rows that a matrix is packed from. F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are
// packed as they are. Q5_0 and IQ4_NL become Q8_0, which is exact. Q4_K becomes Q4_1, each of its scales and
// minima, products of a half and six bits, rounded to a half; where one is too large for that, F32. So do all
// others.
func (t Tensor) PanelType() Type {
	switch t.Type {
	case Q5_0, IQ4_NL:
		return Q8_0
	case Q4_K:
		if t.scalesFitHalf() {
			return Q4_1
		}
		return F32
	case Q5_1, Q2_K, Q3_K, Q5_K, Q6_K:
		return F32
	}
	return t.Type
}

// scalesFitHalf reports whether every group's scale and minimum of a Q4_K tensor can be rounded to a half.
func (t Tensor) scalesFitHalf() bool {
	_, bytes := t.Type.block()
	var b block
	for at := 0; at < len(t.Data); at += bytes {
		b.readSixBitScales(t.Data[at : at+bytes])
		if groups := superblockLength / blockLength; !fitsHalf(b.scales[:groups]) || !fitsHalf(b.minima[:groups]) {
			return false
		}
	}
	return true
}

// PanelRows returns the rows from one up to another as a type that PanelType tells, or as F32.
func (t Tensor) PanelRows(kind Type, from, to int) []byte {
	t.Data = t.Data[from*t.RowBytes() : to*t.RowBytes()]
	switch {
	case kind == t.Type:
		return t.Data
	case kind == Q8_0:
		return t.repack(appendQ8)
	case kind == Q4_1:
		return t.repack(appendQ41)
	}
	var out []byte
	for _, f := range t.Floats() {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	return out
}

func (t Tensor) repack(appendBlock func(out, raw []byte, b *block) []byte) (out []byte) {
	_, bytes := t.Type.block()
	var b block
	for at := 0; at < len(t.Data); at += bytes {
		raw := t.Data[at : at+bytes]
		b.read(t.Type, raw)
		out = appendBlock(out, raw, &b)
	}
	return out
}

// appendQ8 appends a block without a minimum as Q8_0; the raw one begins with its scale too.
func appendQ8(out, raw []byte, b *block) []byte {
	out = append(out, raw[:2]...)
	for _, q := range b.numbers[:blockLength] {
		out = append(out, byte(q))
	}
	return out
}

// appendQ41 appends groups of 32 numbers of 4 bits as Q4_1.
func appendQ41(out, _ []byte, b *block) []byte {
	for at := 0; at < b.length; at += blockLength {
		out = binary.LittleEndian.AppendUint16(out, toHalf(b.scales[at/b.group]))
		out = binary.LittleEndian.AppendUint16(out, toHalf(b.minima[at/b.group]))
		for i := at; i < at+blockLength/2; i++ {
			out = append(out, byte(b.numbers[i]|b.numbers[i+blockLength/2]<<4))
		}
	}
	return out
}
