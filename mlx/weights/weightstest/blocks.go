package weightstest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
)

// blocks is one of ggml's quantised types: its number, the weights and bytes of a block, where the halves of
// its scale and its minimum lie, the spread of random blocks with a scale of one, and the minimum that makes
// their mean zero.
type blocks struct {
	number             uint32
	elements, bytes    int
	scale, minimum     int // minimum is -1 for none
	spread, toZeroMean float64
}

// blocksOf are the types that are read, by name. Scales of K types multiply numbers of four to eight bits.
func blocksOf(name string) *blocks {
	all := map[string]blocks{
		"Q4_0": {2, 32, 18, 0, -1, 4.6, 0}, "Q4_1": {3, 32, 20, 0, 2, 4.6, -7.5}, "Q5_0": {6, 32, 22, 0, -1, 9.2, 0},
		"Q5_1": {7, 32, 24, 0, 2, 9.2, -15.5}, "Q8_0": {8, 32, 34, 0, -1, 74, 0}, "IQ4_NL": {20, 32, 18, 0, -1, 70, 0},
		"Q2_K": {10, 256, 84, 80, 82, 14, 1.5}, "Q3_K": {11, 256, 110, 108, -1, 42, 0}, "Q4_K": {12, 256, 144, 0, 2, 240, 7.5},
		"Q5_K": {13, 256, 176, 0, 2, 480, 15.5}, "Q6_K": {14, 256, 210, 208, -1, 1370, 0},
	}
	b, ok := all[name]
	if !ok {
		panic("weightstest: no type " + name)
	}
	return &b
}

// blocksFor is the type of a tensor, nil for float32.
func blocksFor(tensor string, types map[string]string) *blocks {
	for part, kind := range types {
		if strings.Contains(tensor, part) {
			return blocksOf(kind)
		}
	}
	return nil
}

// random are n weights in rows of a width, with a spread of 1/sqrt(width).
func (b *blocks) random(r *rand.Rand, n, width int) []byte {
	out := make([]byte, n/b.elements*b.bytes)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	scale := 1 / math.Sqrt(float64(width)) / b.spread
	for at := 0; at < len(out); at += b.bytes {
		binary.LittleEndian.PutUint16(out[at+b.scale:], half(scale))
		if b.minimum >= 0 {
			binary.LittleEndian.PutUint16(out[at+b.minimum:], half(scale*b.toZeroMean))
		}
	}
	return out
}

// half cuts a number between 2^-14 and 2^15, or its negative, to a binary16.
func half(v float64) uint16 {
	u := math.Float32bits(float32(v))
	return uint16(u>>16&0x8000) | uint16(u&0x7fffffff>>13-112<<10)
}
