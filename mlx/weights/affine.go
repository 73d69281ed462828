package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// affine is a matrix as mlx.core.quantize leaves it: each group of inputs of an output has a scale and a
// bias, and weight = scale * q + bias with q unsigned, packed into 32-bit words from the lowest bits on. The
// group's length and the bits follow from the shapes: weight [rows, inputs * bits / 32], scales and biases
// [rows, inputs / group].
type affine struct {
	weight, scales, biases Tensor
}

func (a *affine) setPart(part string, t Tensor) {
	t = t.flat()
	switch part {
	case "weight":
		a.weight = t
	case "scales":
		a.scales = t
	case "biases":
		a.biases = t
	}
}

// bytes is how much the matrix takes in the file.
func (a *affine) bytes() int64 {
	return int64(len(a.weight.Data) + len(a.scales.Data) + len(a.biases.Data))
}

// check checks the three parts, so that tensor can trust their shapes.
func (a *affine) check() error {
	for _, t := range []Tensor{a.weight, a.scales, a.biases} {
		if len(t.Shape) != 2 || t.Shape[0] != a.weight.Shape[0] {
			return fmt.Errorf("a quantised matrix needs weight, scales and biases of as many rows")
		}
	}
	if a.weight.Type != U32 || a.scales.Type == U32 || a.biases.Type == U32 || a.scales.Shape[1] != a.biases.Shape[1] {
		return fmt.Errorf("scales %v and biases %v do not fit packed weights %v", a.scales.Shape, a.biases.Shape, a.weight.Shape)
	}
	return nil
}

// tensor returns the matrix of shape [rows, inputs], each group as several blocks of 32: up to 4 bits as Q4_1, 5 bits as
// Q5_1, where f16 can hold every scale and bias. The others, and all of 6 and 8 bits, are F32.
func (a *affine) tensor(shape []int) (Tensor, error) {
	bits, err := a.weightBits(shape)
	if err != nil {
		return Tensor{}, err
	}
	scales, biases := a.scales.Floats(), a.biases.Floats()
	t := Tensor{Name: a.weight.Name, Type: panelTypeOf(bits), Shape: shape, Stored: a.bytes()}
	if t.Type != F32 && fitsHalf(scales) && fitsHalf(biases) {
		t.Data = a.blocks(t.Type, shape, bits, scales, biases)
		return t, nil
	}
	t.Type, t.Foreign, t.Data = F32, fmt.Sprintf("MLX's %d bits", bits), a.dense(shape, bits, scales, biases)
	return t, nil
}

// panelTypeOf is the type whose panels hold numbers of so many bits with scales and biases.
func panelTypeOf(bits int) Type {
	switch {
	case bits <= 4:
		return Q4_1
	case bits == 5:
		return Q5_1
	}
	return F32
}

// weightBits returns the width of a weight: 2 to 6, or 8.
func (a *affine) weightBits(shape []int) (int, error) {
	words, groups := a.weight.Shape[1], a.scales.Shape[1]
	if len(shape) != 2 || a.weight.Shape[0] != shape[0] || shape[1]%groups != 0 || words*32%shape[1] != 0 {
		return 0, fmt.Errorf("tensor %s of packed words %v in %d groups has not the configuration's shape %v", a.weight.Name, a.weight.Shape, groups, shape)
	}
	bits, group := words*32/shape[1], shape[1]/groups
	if bits < 2 || bits > 8 || bits == 7 || group%32 != 0 {
		return 0, fmt.Errorf("tensor %s: MLX's quantisation of %d bits in groups of %d is %w; 2 to 6 and 8 bits in groups of 32, 64 and 128 are",
			a.weight.Name, bits, group, ErrUnsupported)
	}
	return bits, nil
}

// number is the i-th of all numbers: they lie one behind the other, from the lowest bit of the first word on, and rows
// are whole words.
func (a *affine) number(i, bits int) byte {
	at := i * bits
	pair := uint16(a.weight.Data[at/8])
	if at%8+bits > 8 {
		pair |= uint16(a.weight.Data[at/8+1]) << 8
	}
	return byte(pair >> (at % 8) & (1<<bits - 1))
}

// blocks re-packs the weights as Q4_1 or Q5_1.
func (a *affine) blocks(kind Type, shape []int, bits int, scales, biases []float32) (out []byte) {
	group := shape[1] / a.scales.Shape[1]
	b := block{length: blockLength, group: blockLength, hasMinima: true}
	for at := 0; at < shape[0]*shape[1]; at += blockLength {
		for i := range blockLength {
			b.numbers[i] = int8(a.number(at+i, bits))
		}
		b.scales[0], b.minima[0] = scales[at/group], biases[at/group]
		if kind == Q4_1 {
			out = appendQ41(out, &b)
		} else {
			out = appendQ51(out, &b)
		}
	}
	return out
}

// dense widens the weights to float32.
func (a *affine) dense(shape []int, bits int, scales, biases []float32) []byte {
	group := shape[1] / a.scales.Shape[1]
	out := make([]byte, 0, 4*shape[0]*shape[1])
	for i := range shape[0] * shape[1] {
		f := float32(scales[i/group]*float32(a.number(i, bits))) + biases[i/group]
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	return out
}

// halfMax is the largest finite binary16.
const halfMax = 65504

func fitsHalf(values []float32) bool {
	for _, v := range values {
		if !(v >= -halfMax && v <= halfMax) {
			return false
		}
	}
	return true
}

// toHalf rounds a float of at most halfMax, or an infinite one, to the nearest binary16, ties to even. Every bfloat16
// from 2^-17 on is exact; smaller ones are off by at most 2^-25.
func toHalf(f float32) uint16 {
	u := math.Float32bits(f)
	sign, u := uint16(u>>16&0x8000), u&0x7fffffff
	if u >= 0x7f800000 { // infinite, or no number
		return sign | 0x7c00 | uint16(u>>13&0x3ff)
	}
	if u < 0x38800000 { // below 2^-14: whole multiples of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(u))*(1<<24)))
	}
	return sign | uint16((u+0xfff+u>>13&1)>>13-112<<10)
}
