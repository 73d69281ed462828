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

// tensor returns the matrix of shape [rows, inputs]: 4 bits as Q4_1, each group as several blocks of 32,
// where f16 can hold every scale and bias; the others, and all of 8 bits, as F32.
func (a *affine) tensor(shape []int) (Tensor, error) {
	bits, err := a.weightBits(shape)
	if err != nil {
		return Tensor{}, err
	}
	scales, biases := a.scales.Floats(), a.biases.Floats()
	if bits == 4 && fitsHalf(scales) && fitsHalf(biases) {
		return Tensor{Name: a.weight.Name, Type: Q4_1, Shape: shape, Data: a.blocks(shape, scales, biases)}, nil
	}
	return Tensor{
		Name: a.weight.Name, Type: F32, Shape: shape, Data: a.dense(shape, bits, scales, biases),
		Foreign: fmt.Sprintf("MLX's %d bits", bits), Stored: a.bytes(),
	}, nil
}

// weightBits returns the width of a weight, 4 or 8.
func (a *affine) weightBits(shape []int) (int, error) {
	words, groups := a.weight.Shape[1], a.scales.Shape[1]
	if len(shape) != 2 || a.weight.Shape[0] != shape[0] || shape[1]%groups != 0 || words*32%shape[1] != 0 {
		return 0, fmt.Errorf("tensor %s of packed words %v in %d groups has not the configuration's shape %v", a.weight.Name, a.weight.Shape, groups, shape)
	}
	bits, group := words*32/shape[1], shape[1]/groups
	if bits != 4 && bits != 8 || group%32 != 0 {
		return 0, fmt.Errorf("tensor %s: MLX's quantisation of %d bits in groups of %d is %w; 4 and 8 bits in groups of 32, 64 and 128 are",
			a.weight.Name, bits, group, ErrUnsupported)
	}
	return bits, nil
}

// blocks re-packs 4-bit weights as ggml's block_q4_1: input i of 32 in the low half of byte i, 16 + i in the
// high one.
func (a *affine) blocks(shape []int, scales, biases []float32) []byte {
	perGroup := shape[1] / a.scales.Shape[1] / 32
	out := make([]byte, 0, len(a.weight.Data)/16*20)
	for block := range len(a.weight.Data) / 16 {
		out = binary.LittleEndian.AppendUint16(out, toHalf(scales[block/perGroup]))
		out = binary.LittleEndian.AppendUint16(out, toHalf(biases[block/perGroup]))
		q := a.weight.Data[block*16 : block*16+16]
		for i := 0; i < 8; i++ {
			out = append(out, q[i]&15|q[8+i]<<4, q[i]>>4|q[8+i]&0xf0)
		}
	}
	return out
}

// dense widens the weights to float32.
func (a *affine) dense(shape []int, bits int, scales, biases []float32) []byte {
	group := shape[1] / a.scales.Shape[1]
	out := make([]byte, 0, 4*shape[0]*shape[1])
	for i := range shape[0] * shape[1] {
		q := a.weight.Data[i*bits/8] >> (i * bits % 8) & (1<<bits - 1)
		f := scales[i/group]*float32(q) + biases[i/group]
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

// toHalf rounds a float of at most halfMax, or an infinite one, to the nearest binary16, ties to even. Every bfloat16 from 2^-17
// on is exact; smaller ones are off by at most 2^-25.
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
