package model

import (
	"slices"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

// bitsOf is the number of bits that rows of a type are packed into.
func bitsOf(t weights.Type) int {
	switch t {
	case weights.Q8_0:
		return 8
	case weights.Q6:
		return 6
	case weights.Q5_1:
		return 5
	case weights.Q4_0, weights.Q4_1:
		return 4
	}
	return 16
}

// meet chooses one of each tensor's types, so that all have panels of the same bits: the fewest that they have in
// common.
func meet(options [][]weights.Type) []weights.Type {
	for _, kind := range options[0] {
		if kinds := withBits(options, bitsOf(kind)); kinds != nil {
			return kinds
		}
	}
	return nil // not reached: all tensors may become floats
}

// withBits chooses of each option the type whose panels have so many bits; nil where one has none.
func withBits(options [][]weights.Type, bits int) []weights.Type {
	kinds := make([]weights.Type, len(options))
	for i, all := range options {
		at := slices.IndexFunc(all, func(kind weights.Type) bool { return bitsOf(kind) == bits })
		if at < 0 {
			return nil
		}
		kinds[i] = all[at]
	}
	return kinds
}
