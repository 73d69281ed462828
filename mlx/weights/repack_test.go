package weights_test

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

// asRead are rows of a tensor in another type, read back.
func asRead(x weights.Tensor, kind weights.Type) []float32 {
	rows := x.Shape[0]
	return weights.Tensor{Type: kind, Shape: x.Shape, Data: x.PanelRows(kind, 0, rows)}.Floats()
}

// TestNarrowPanelsKeepWhatTheFileHas packs every type in each type that it may become: to the bit where its
// scales are halves, else but for rounding them.
func TestNarrowPanelsKeepWhatTheFileHas(t *testing.T) {
	seen := map[string]bool{}
	for _, golden := range readBlocks(t) {
		width := len(golden.Floats) / 4
		x, err := open(t, writeTyped(t, typed{"token_embd.weight", golden.Type, width, golden.Blocks})).Tensor("embed", 1, width)
		if err != nil {
			t.Fatal(err)
		}
		isExact := !strings.HasSuffix(golden.Type, "_K") && golden.Type != "IQ4_XS"
		for _, kind := range append(x.PanelTypes(), x.Type) {
			seen[golden.Type+" "+kind.String()] = true
			if isExact || kind == weights.F32 {
				checkBits(t, golden, kind, asRead(x, kind))
			}
		}
	}
	for _, pair := range []string{"Q8_0 Q8_0", "IQ4_NL Q8_0", "Q2_K F32", "Q6_K F32", "Q4_0 Q4_0", "Q5_1 Q5_1", "Q5_0 Q8_0", "Q5_0 F32"} {
		if !seen[pair] {
			t.Errorf("no %s", pair)
		}
	}
}

func checkBits(t *testing.T, golden quantisedBlocks, kind weights.Type, got []float32) {
	t.Helper()
	for i, f := range got {
		want := math.Float32frombits(binary.LittleEndian.Uint32(golden.Floats[4*i:]))
		if f != want && !(math.IsNaN(float64(f)) && math.IsNaN(float64(want))) {
			t.Errorf("%s as %s: weight %d is %g, expected %g", golden.Type, kind, i, f, want)
			return
		}
	}
}

// middling is a row of blocks of 256 or 32 whose halves at some places are 2^-7, or their negative.
func middling(kind weights.Type, size, length int, at ...int) weights.Tensor {
	data := make([]byte, 8*size)
	for i := range data {
		data[i] = byte(i*i*7 + i>>3)
	}
	for block := 0; block < len(data); block += size {
		for i, place := range at {
			binary.LittleEndian.PutUint16(data[block+place:], 0x2000|uint16(i)<<15)
		}
	}
	return weights.Tensor{Type: kind, Shape: []int{1, 8 * length}, Data: data}
}

// mxfp4 is a row of blocks of MXFP4 with these exponents.
func mxfp4(exponents ...byte) weights.Tensor {
	var data []byte
	for _, e := range exponents {
		data = append(data, e)
		for i := range byte(16) {
			data = append(data, i*17)
		}
	}
	return weights.Tensor{Type: weights.MXFP4, Shape: []int{1, 32 * len(exponents)}, Data: data}
}

func TestNarrowPanelsAreTheFirstChoice(t *testing.T) {
	for _, c := range []struct {
		x    weights.Tensor
		want []weights.Type
	}{
		{middling(weights.Q5_0, 22, 32, 0), []weights.Type{weights.Q5_1, weights.Q8_0, weights.F32}},
		{middling(weights.Q3_K, 110, 256, 108), []weights.Type{weights.Q6, weights.F32}},
		{middling(weights.Q4_K, 144, 256, 0, 2), []weights.Type{weights.Q4_1, weights.F32}},
		{middling(weights.Q5_K, 176, 256, 0, 2), []weights.Type{weights.Q5_1, weights.F32}},
		{middling(weights.Q6_K, 210, 256, 208), []weights.Type{weights.Q6, weights.F32}},
		{middling(weights.Q2_K, 84, 256, 80, 82), []weights.Type{weights.F32}},
		{middling(weights.IQ4_XS, 136, 256, 0), []weights.Type{weights.Q8_0, weights.F32}},
		{mxfp4(104, 142), []weights.Type{weights.Q8_0, weights.F32}},
		{mxfp4(103, 142), []weights.Type{weights.F32}}, // half of 2^-24 is no half
		{mxfp4(104, 144), []weights.Type{weights.F32}}, // nor is 2^16
	} {
		if got := c.x.PanelTypes(); !slices.Equal(got, c.want) {
			t.Errorf("%s becomes %v, expected %v", c.x.Type, got, c.want)
			continue
		}
		want, largest := c.x.Floats(), 0.0
		for _, f := range want {
			largest = max(largest, math.Abs(float64(f)))
		}
		if c.x.Type == weights.Q5_0 || c.x.Type == weights.MXFP4 {
			largest = 0 // exact
		}
		for i, f := range asRead(c.x, c.want[0]) {
			if off := math.Abs(float64(f - want[i])); off > largest/2048 {
				t.Errorf("%s: weight %d is %g, expected %g: off by more than rounding scale and minimum explains", c.x.Type, i, f, want[i])
				break
			}
		}
	}
}

// q4k is a block of Q4_K with the halves of its scales' and minima's scale.
func q4k(scale, minimum uint16) weights.Tensor {
	data := make([]byte, 144)
	for i := range data {
		data[i] = byte(37 * i)
	}
	binary.LittleEndian.PutUint16(data, scale)
	binary.LittleEndian.PutUint16(data[2:], minimum)
	return weights.Tensor{Type: weights.Q4_K, Shape: []int{1, 256}, Data: data}
}

// TestScalesTooLargeForAHalfBecomeFloats: a Q4_K's group may have 63 times the largest half.
func TestScalesTooLargeForAHalfBecomeFloats(t *testing.T) {
	for _, c := range []struct {
		scale, minimum uint16
		want           weights.Type
	}{
		{0x2000, 0x1c00, weights.Q4_1}, {0, 0, weights.Q4_1}, {0x7bff, 0x1c00, weights.F32}, {0x2000, 0xfbff, weights.F32}, {0x7e00, 0, weights.F32},
	} {
		x := q4k(c.scale, c.minimum)
		if got := x.PanelTypes()[0]; got != c.want {
			t.Errorf("scales of %04x and minima of %04x become %s, expected %s", c.scale, c.minimum, got, c.want)
		}
	}
}

// TestAScaleThatIsNoNumberStaysNone: a file may have it where a type is repacked without looking at its scales.
func TestAScaleThatIsNoNumberStaysNone(t *testing.T) {
	for _, scale := range []uint16{0x7c00, 0xfc00, 0x7e01} {
		data := make([]byte, 18)
		binary.LittleEndian.PutUint16(data, scale)
		x := weights.Tensor{Type: weights.IQ4_NL, Shape: []int{1, 32}, Data: data}
		if got := binary.LittleEndian.Uint16(x.PanelRows(weights.Q8_0, 0, 1)); got != scale {
			t.Errorf("a scale of %04x became %04x", scale, got)
		}
	}
}
