// Package nn holds what layers of several architectures share and needs no device.
package nn

import (
	"fmt"
	"math"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// RopeFrequencies returns the angle per position of each of r.Dims/2 pairs, and the factor that cosines and
// sines are multiplied with.
//
// Sources: Su et al., RoFormer (default); Chen et al., Extending Context Window via Positional Interpolation
// (linear); Meta's Llama 3.1 reference (llama3); Peng et al., YaRN (yarn, and dynamic in appendix A.1).
func RopeFrequencies(r arch.Rope) (frequencies []float64, scale float64, err error) {
	frequencies = make([]float64, r.Dims/2)
	for i := range frequencies {
		frequencies[i] = math.Pow(base(r), -2*float64(i)/float64(r.Dims))
	}
	scale = 1
	switch r.Type {
	case "default", "dynamic":
	case "none":
		clear(frequencies)
	case "linear":
		for i := range frequencies {
			frequencies[i] /= r.Factor
		}
	case "llama3":
		for i, f := range frequencies {
			frequencies[i] = llama3(f, r)
		}
	case "factors":
		for i := range frequencies {
			frequencies[i] /= float64(r.Factors[i])
		}
	case "yarn":
		frequencies, scale = yarn(frequencies, r), yarnScale(r)
	default:
		return nil, 0, fmt.Errorf("rope type %q is unknown", r.Type)
	}
	if r.Scale > 0 {
		scale = r.Scale
	}
	return frequencies, scale, nil
}

// base is the base of the frequencies. That of dynamic is the one which the longest sequence has, of Original times
// Factor tokens: a base that grows with the sequence would leave keys behind that were rotated by another.
func base(r arch.Rope) float64 {
	if r.Type != "dynamic" {
		return r.Theta
	}
	dims := float64(r.Dims)
	return r.Theta * math.Pow(r.Factor*r.Factor-(r.Factor-1), dims/(dims-2))
}

// llama3 slows long wavelengths by the factor and blends between the two bounds.
func llama3(f float64, r arch.Rope) float64 {
	wavelength, original := 2*math.Pi/f, float64(r.Original)
	switch {
	case wavelength < original/r.High:
		return f
	case wavelength > original/r.Low:
		return f / r.Factor
	}
	smooth := (original/wavelength - r.Low) / (r.High - r.Low)
	return (1-smooth)*f/r.Factor + smooth*f
}

// yarn interpolates dimensions that turn less than BetaSlow times within the original context, keeps those
// that turn more than BetaFast times, and ramps between.
func yarn(frequencies []float64, r arch.Rope) []float64 {
	dimension := func(turns float64) float64 {
		return float64(r.Dims) * math.Log(float64(r.Original)/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	low, high := dimension(r.BetaFast), dimension(r.BetaSlow)
	if !r.IsUncut {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = math.Max(low, 0), math.Min(high, float64(r.Dims-1))
	if low == high {
		high += 0.001
	}
	out := make([]float64, len(frequencies))
	for i, f := range frequencies {
		ramp := math.Min(math.Max((float64(i)-low)/(high-low), 0), 1)
		out[i] = f/r.Factor*ramp + f*(1-ramp)
	}
	return out
}

func yarnScale(r arch.Rope) float64 {
	if r.Factor <= 1 {
		return 1
	}
	return 0.1*math.Log(r.Factor) + 1
}

// RopeTables returns cosines and sines of [positions][len(frequencies)], times scale.
func RopeTables(frequencies []float64, scale float64, positions int) (cos, sin []float32) {
	half := len(frequencies)
	cos, sin = make([]float32, positions*half), make([]float32, positions*half)
	for p := range positions {
		for i, f := range frequencies {
			s, c := math.Sincos(float64(p) * f)
			cos[p*half+i], sin[p*half+i] = float32(c*scale), float32(s*scale)
		}
	}
	return cos, sin
}
