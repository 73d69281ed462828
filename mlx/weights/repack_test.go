package weights_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

// asRead are rows of a tensor in another type, read back.
func asRead(x weights.Tensor, kind weights.Type) []float32 {
	rows := x.Shape[0]
	return weights.Tensor{Type: kind, Shape: x.Shape, Data: x.PanelRows(kind, 0, rows)}.Floats()
}

// TestWhatBecomesEightBitsKeepsItsBits: Q5_0 and IQ4_NL are numbers of 8 bits with a scale in f16.
func TestWhatBecomesEightBitsKeepsItsBits(t *testing.T) {
	seen := 0
	for _, golden := range readBlocks(t) {
		width := len(golden.Floats) / 4
		x, err := open(t, writeTyped(t, typed{"token_embd.weight", golden.Type, width, golden.Blocks})).Tensor("embed", 1, width)
		if err != nil {
			t.Fatal(err)
		}
		if kind := x.PanelType(); kind != weights.Q8_0 && kind != weights.F32 {
			continue
		}
		seen++
		for i, f := range asRead(x, x.PanelType()) {
			if want := binary.LittleEndian.Uint32(golden.Floats[4*i:]); math.Float32bits(f) != want {
				t.Errorf("%s as %s: weight %d is %g, expected %g", golden.Type, x.PanelType(), i, f, math.Float32frombits(want))
				break
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d types become 8 bits or floats", seen)
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
		if got := x.PanelType(); got != c.want {
			t.Errorf("scales of %04x and minima of %04x become %s, expected %s", c.scale, c.minimum, got, c.want)
		}
	}
	x := q4k(0x2000, 0x1c00)
	want, largest := x.Floats(), 0.0
	for _, f := range want {
		largest = max(largest, math.Abs(float64(f)))
	}
	for i, f := range asRead(x, weights.Q4_1) {
		if off := math.Abs(float64(f - want[i])); off > largest/2048 {
			t.Errorf("weight %d is %g, expected %g: off by more than rounding the scale and the minimum explains", i, f, want[i])
		}
	}
}
