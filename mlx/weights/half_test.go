package weights

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestFloatsAreRoundedToTheNearestHalf(t *testing.T) {
	for h := range 0x7c00 { // the finite ones
		exact := half(binary.LittleEndian.AppendUint16(nil, uint16(h)))
		if got := toHalf(exact); got != uint16(h) {
			t.Fatalf("%g becomes %04x, expected %04x", exact, got, h)
		}
		if got := toHalf(-exact); got != uint16(h)|0x8000 {
			t.Fatalf("%g becomes %04x", -exact, got)
		}
		if h+1 == 0x7c00 {
			continue
		}
		next := half(binary.LittleEndian.AppendUint16(nil, uint16(h+1)))
		middle := (exact + next) / 2
		for f, want := range map[float32]uint16{
			middle: uint16(h + h&1), math.Nextafter32(middle, 0): uint16(h), math.Nextafter32(middle, next): uint16(h + 1),
		} {
			if got := toHalf(f); got != want {
				t.Fatalf("%g between %g and %g becomes %04x, expected %04x", f, exact, next, got, want)
			}
		}
	}
}

// The promise of docs/decisions.md: what f16 makes of the bfloat16 scales and biases of a quantised matrix.
func TestABFloat16SurvivesHalfFromTwoToTheMinus17On(t *testing.T) {
	for b := range 0x8000 {
		f := math.Float32frombits(uint32(b) << 16)
		if !fitsHalf([]float32{f}) {
			continue
		}
		back := half(binary.LittleEndian.AppendUint16(nil, toHalf(f)))
		if f >= 1.0/(1<<17) && back != f || math.Abs(float64(back-f)) > 1.0/(1<<25) {
			t.Fatalf("%g becomes %g", f, back)
		}
	}
}
