package weights

import (
	"fmt"
	"maps"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// Quantisation names the type that most of the weights' bytes are of.
func (m *Model) Quantisation() string {
	bytes := map[string]int64{}
	for _, t := range m.tensors {
		kind := t.Type.String()
		if t.Foreign != "" {
			kind = t.Foreign
		}
		bytes[kind] += int64(len(t.Data))
	}
	for _, a := range m.affine {
		bytes[m.affineForm()] += a.bytes()
	}
	most := ""
	for _, kind := range slices.Sorted(maps.Keys(bytes)) {
		if most == "" || bytes[kind] > bytes[most] {
			most = kind
		}
	}
	return most
}

// affineForm names MLX's quantisation by a matrix of which the configuration tells the inputs.
func (m *Model) affineForm() string {
	for _, name := range []string{arch.LayerPrefix(0) + "q", "embed"} {
		if a := m.affine[name]; a != nil {
			words, groups, inputs := a.weight.Shape[1], a.scales.Shape[1], m.Config.Hidden
			return fmt.Sprintf("MLX %d bits, groups of %d", words*32/inputs, inputs/max(groups, 1))
		}
	}
	return "MLX affine"
}

// Bytes is how much the tensors take in the files.
func (m *Model) Bytes() (sum int64) {
	for _, t := range m.tensors {
		sum += int64(len(t.Data))
	}
	for _, a := range m.affine {
		sum += a.bytes()
	}
	return sum
}
