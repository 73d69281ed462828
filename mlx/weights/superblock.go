package weights

import "encoding/binary"

// readSuperScales unpacks the scales and the minima of a block of 256 of a K type.
func (b *block) readSuperScales(t Type, raw []byte) {
	b.group, b.hasMinima = 16, false
	switch t {
	case Q2_K:
		b.readQ2KScales(raw)
	case Q3_K:
		b.readQ3KScales(raw)
	case Q4_K, Q5_K:
		b.readSixBitScales(raw)
	case IQ4_XS:
		b.readIQ4XSScales(raw)
	case Q6_K:
		d := half(raw[208:])
		for g, v := range raw[192:208] {
			b.scales[g] = d * float32(int8(v))
		}
	}
}

// readSuperNumbers unpacks the numbers of a block of 256.
func (b *block) readSuperNumbers(t Type, raw []byte) {
	switch t {
	case Q2_K:
		for i := range superblockLength {
			b.numbers[i] = int8(twoBits(raw[16:80], i))
		}
	case Q3_K:
		b.readQ3KNumbers(raw)
	case Q4_K:
		b.readSuperNibbles(raw[16:], nil)
	case Q5_K:
		b.readSuperNibbles(raw[48:], raw[16:48])
	case Q6_K:
		b.readQ6KNumbers(raw)
	case IQ4_XS:
		b.readIQ4XSNumbers(raw[8:])
	}
}

// readSixBitScales reads the head of Q4_K and Q5_K: the scales of scales and of minima in f16, and then eight
// of each in 6 bits. The first four of them lie in the lower six bits of four bytes each, which hold in their
// upper two bits those of the last four; the lower four bits of these are in the last four bytes.
func (b *block) readSixBitScales(raw []byte) {
	b.group, b.hasMinima = blockLength, true
	d, minimum, packed := half(raw), half(raw[2:]), raw[4:16]
	for g := range 8 {
		scale, low := packed[g&3]&63, packed[4+g&3]&63
		if g >= 4 {
			scale = packed[4+g]&15 | packed[g-4]>>2&0x30
			low = packed[4+g]>>4 | packed[g]>>2&0x30
		}
		b.scales[g], b.minima[g] = d*float32(scale), -(minimum * float32(low))
	}
}

// readSuperNibbles unpacks 256 numbers of 4 bits, and of a fifth where there are high bits: each 32 bytes hold
// one group in their low halves and the next one in their high halves, and bit g of byte i of the high bits
// belongs to number i of group g.
func (b *block) readSuperNibbles(nibbles, high []byte) {
	for i := range superblockLength {
		g, at := i/blockLength, i%blockLength
		q := nibbles[g/2*blockLength+at] >> (g % 2 * 4) & 15
		if high != nil {
			q |= high[at] >> g & 1 << 4
		}
		b.numbers[i] = int8(q)
	}
}

// twoBits is number i of 256 in 2 bits: 32 bytes hold four runs of 32 numbers, the first in the lowest bits.
func twoBits(packed []byte, i int) byte {
	return packed[i/128*blockLength+i%blockLength] >> (i % 128 / blockLength * 2) & 3
}

// readQ2KScales reads 16 bytes of scales and minima in 4 bits each, and behind the numbers their scales in f16.
func (b *block) readQ2KScales(raw []byte) {
	b.hasMinima = true
	d, minimum := half(raw[80:]), half(raw[82:])
	for g, v := range raw[:16] {
		b.scales[g], b.minima[g] = d*float32(v&15), -(minimum * float32(v>>4))
	}
}

// readQ3KScales reads 12 bytes of scales in 6 bits and their scale in f16, behind the numbers.
func (b *block) readQ3KScales(raw []byte) {
	packed, d := raw[96:108], half(raw[108:])
	for g := range 16 {
		scale := packed[g%8]>>(g/8*4)&15 | packed[8+g%4]>>(g/4*2)&3<<4
		b.scales[g] = d * float32(int8(scale)-32)
	}
}

// readQ3KNumbers unpacks 32 bytes of third bits and 64 of the lower two. A number whose third bit is 0 is 4
// less.
func (b *block) readQ3KNumbers(raw []byte) {
	for i := range superblockLength {
		q := int8(twoBits(raw[32:96], i))
		if raw[i%blockLength]>>(i/blockLength)&1 == 0 {
			q -= 4
		}
		b.numbers[i] = q
	}
}

// readQ6KNumbers unpacks 128 bytes of lower nibbles and 64 of the upper two bits. 64 bytes of nibbles hold 64
// numbers in their low halves, and the next 64 in their high ones.
func (b *block) readQ6KNumbers(raw []byte) {
	for i := range superblockLength {
		low := raw[i/128*64+i%64] >> (i % 128 / 64 * 4) & 15
		b.numbers[i] = int8(low|twoBits(raw[128:192], i)<<4) - 32
	}
}

// readIQ4XSScales reads the head of IQ4_XS: the scale of scales in f16, two bytes with the upper two bits of eight
// scales, and four with their lower four bits.
func (b *block) readIQ4XSScales(raw []byte) {
	b.group = blockLength
	d, high := half(raw), binary.LittleEndian.Uint16(raw[2:])
	for g := range 8 {
		scale := raw[4+g/2]>>(g%2*4)&15 | byte(high>>(2*g)&3)<<4
		b.scales[g] = d * float32(int8(scale)-32)
	}
}

// readIQ4XSNumbers unpacks 16 bytes for each group of 32: its first half lies in their lower bits.
func (b *block) readIQ4XSNumbers(nibbles []byte) {
	for i := range superblockLength {
		g, at := i/blockLength, i%blockLength
		b.numbers[i] = int8(nibbles[g*16+at%16] >> (at / 16 * 4) & 15)
	}
	b.replace(&unevenSteps)
}
