package weights

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// Quantisation names the types of the weights with their shares of the bytes, the largest first. What is less than a
// twentieth is left out.
func (m *Model) Quantisation() string {
	bytes := map[string]int64{}
	for _, t := range m.tensors {
		bytes[cmp.Or(t.Foreign, t.Type.String())] += int64(len(t.Data))
	}
	for _, a := range m.affine {
		bytes[m.affineForm()] += a.bytes()
	}
	kinds := slices.SortedFunc(maps.Keys(bytes), func(a, b string) int {
		return cmp.Or(cmp.Compare(bytes[b], bytes[a]), cmp.Compare(a, b))
	})
	var named []string
	for _, kind := range kinds {
		if share := 100 * bytes[kind] / max(m.Bytes(), 1); share >= 5 {
			named = append(named, fmt.Sprintf("%s %d %%", kind, share))
		}
	}
	if len(named) == 1 {
		return kinds[0]
	}
	return strings.Join(named, ", ")
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
