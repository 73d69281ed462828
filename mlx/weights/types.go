package weights

import (
	"fmt"
	"strings"
)

// Type is how a tensor's elements are stored.
type Type int

// The types that are read; the quantised ones are ggml's blocks along the last axis. U32 holds the packed
// words of MLX's quantised matrices, which Model.Tensor returns as Q4_1 or F32.
const (
	F32 Type = iota
	F16
	BF16
	Q8_0
	Q4_0
	Q4_1
	U32
	Q5_0
	Q5_1
	Q2_K
	Q3_K
	Q4_K
	Q5_K
	Q6_K
	IQ4_NL
	IQ4_XS
	MXFP4
	Q6     // of panels only: 32 signed bytes of six bits behind a scale for each 16, a half each
	Unread // a type of ggml's that is not read; Tensor.Foreign names it
)

// The lengths of ggml's blocks.
const (
	blockLength      = 32  // elements with one scale
	superblockLength = 256 // elements of the K types: groups of 16 or 32, whose scales share a scale
)

// layout is a type's name, and the elements and bytes of a block.
type layout struct {
	name            string
	elements, bytes int
}

var layouts = [...]layout{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, BF16: {"BF16", 1, 2}, U32: {"U32", 1, 4},
	Q8_0: {"Q8_0", blockLength, 34}, Q4_0: {"Q4_0", blockLength, 18}, Q4_1: {"Q4_1", blockLength, 20},
	Q5_0: {"Q5_0", blockLength, 22}, Q5_1: {"Q5_1", blockLength, 24}, IQ4_NL: {"IQ4_NL", blockLength, 18},
	Q2_K: {"Q2_K", superblockLength, 84}, Q3_K: {"Q3_K", superblockLength, 110}, Q4_K: {"Q4_K", superblockLength, 144},
	Q5_K: {"Q5_K", superblockLength, 176}, Q6_K: {"Q6_K", superblockLength, 210},
	IQ4_XS: {"IQ4_XS", superblockLength, 136}, MXFP4: {"MXFP4", blockLength, 17},
	Q6: {"Q6", blockLength, 36}, Unread: {"unread", 1, 1},
}

func (t Type) String() string { return layouts[t].name }

// block returns the elements and bytes of one block of the type.
func (t Type) block() (elements, bytes int) { return layouts[t].elements, layouts[t].bytes }

// ggmlTypes maps ggml's type numbers to ours, and names the known others.
var (
	ggmlTypes = map[uint64]Type{
		0: F32, 1: F16, 2: Q4_0, 3: Q4_1, 6: Q5_0, 7: Q5_1, 8: Q8_0, 10: Q2_K, 11: Q3_K, 12: Q4_K, 13: Q5_K, 14: Q6_K,
		20: IQ4_NL, 23: IQ4_XS, 30: BF16, 39: MXFP4,
	}
	ggmlNames = map[uint64]string{
		9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
		24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0",
	}
)

// ggmlName is what ggml calls a type that is not read.
func ggmlName(kind uint64) string {
	if name := ggmlNames[kind]; name != "" {
		return name
	}
	return fmt.Sprint("number ", kind)
}

// checkRead refuses a tensor whose type is not read.
func (t Tensor) checkRead() error {
	if t.Type != Unread {
		return nil
	}
	var read []string
	for kind := F32; kind < Unread; kind++ {
		if kind != U32 && kind != Q6 {
			read = append(read, kind.String())
		}
	}
	return fmt.Errorf("tensor %s has the ggml type %s, which is %w; %s are", t.Name, t.Foreign, ErrUnsupported, strings.Join(read, ", "))
}
