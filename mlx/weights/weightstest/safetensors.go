package weightstest

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// file collects tensors of a safetensors file.
type file struct {
	header map[string]any
	body   []byte
}

func (f *file) add(name, dtype string, shape []int, data []byte) {
	f.header[name] = map[string]any{"dtype": dtype, "shape": shape, "data_offsets": []int{len(f.body), len(f.body) + len(data)}}
	f.body = append(f.body, data...)
}

// rowMean is what a tensor of one row lies around: a norm around its neutral value, a bias around zero.
func (s Tiny) rowMean(name string) float64 {
	switch {
	case strings.HasSuffix(name, ".bias"):
		return 0
	case s.Family != nil:
		return s.Family.normMean(name)
	}
	return 1
}

// values are a tensor's: norms and biases around their mean, matrices with a spread of 1/sqrt(inputs).
func (s Tiny) values(r *rand.Rand, x tensor) []float32 {
	n := 1
	for _, d := range x.shape {
		n *= d
	}
	spread, mean := 1/math.Sqrt(float64(x.shape[len(x.shape)-1])), 0.0
	if len(x.shape) == 1 {
		spread, mean = 0.1, s.rowMean(x.name)
	}
	if strings.HasSuffix(x.name, "mlp.gate.weight") {
		spread *= 4 // so that the last of the experts that are used has little to say: a near tie may go either way
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(mean + spread*r.NormFloat64())
	}
	return values
}

func floatBytes(values []float32) (data []byte) {
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

// writeShard writes random tensors.
func (s Tiny) writeShard(path string, r *rand.Rand, tensors []tensor) error {
	f := file{header: map[string]any{}}
	for _, x := range tensors {
		values := s.values(r, x)
		if s.isNested() {
			x.name = "language_model." + x.name
		}
		if s.Bits > 0 && len(x.shape) > 1 {
			f.addQuantised(x, values, s.Bits, s.Group)
			continue
		}
		f.add(x.name, "F32", x.shape, floatBytes(values))
	}
	if s.isNested() {
		f.add("vision_tower.vision_model.post_layernorm.bias", "F32", []int{2}, floatBytes([]float32{1, 2}))
		f.add("multi_modal_projector.mm_input_projection_weight", "F32", []int{1, 2}, floatBytes([]float32{1, 2}))
	}
	raw, err := json.Marshal(f.header)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(raw))), raw...), f.body...), 0o600)
}

// addQuantised adds a matrix in MLX's affine layout with bf16 scales and biases: the group's minimum is the
// bias, and its range is cut into 2^bits - 1 steps.
func (f *file) addQuantised(x tensor, values []float32, bits, group int) {
	var words, scales, biases []byte
	word, used := uint32(0), 0
	for at := 0; at < len(values); at += group {
		low, high := values[at], values[at]
		for _, v := range values[at : at+group] {
			low, high = min(low, v), max(high, v)
		}
		top := float32(int(1)<<bits - 1)
		scale, bias := bf16((high-low)/top), bf16(low)
		scales, biases = append(scales, scale[2:]...), append(biases, bias[2:]...)
		for _, v := range values[at : at+group] {
			q := math.Round(float64((v - float(bias)) / float(scale)))
			word |= uint32(max(0, min(q, float64(top)))) << used
			if used += bits; used == 32 {
				words = binary.LittleEndian.AppendUint32(words, word)
				word, used = 0, 0
			}
		}
	}
	last := len(x.shape) - 1
	base, columns := strings.TrimSuffix(x.name, "weight"), x.shape[last]
	wide := func(width int) []int { return append(slices.Clone(x.shape[:last]), width) }
	f.add(x.name, "U32", wide(columns*bits/32), words)
	f.add(base+"scales", "BF16", wide(columns/group), scales)
	f.add(base+"biases", "BF16", wide(columns/group), biases)
}

// bf16 is v with the lower half of its bits cut off, as the four bytes of a float32.
func bf16(v float32) []byte {
	return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)&0xffff0000)
}

func float(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
