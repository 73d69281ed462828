package array

// Dtype is an element type.
type Dtype int

// The element types that pass between Go and MLX.
const (
	Float32 Dtype = iota
	BFloat16
	Float16
	Int32
	Uint32
	Uint16
	Bool
)

// Size is the number of bytes of one element.
func (d Dtype) Size() int {
	switch d {
	case Float32, Int32, Uint32:
		return 4
	case BFloat16, Float16, Uint16:
		return 2
	}
	return 1
}

// Source is the layout of weight rows: as a file has them, quantised ones in ggml's blocks of 32; but FromQ6.
type Source int

// The layouts that matrices are packed from.
const (
	FromF32 Source = iota
	FromF16
	FromBF16
	FromQ8
	FromQ4
	FromQ41
	FromQ51
	FromQ6 // 32 signed bytes of six bits behind a scale in f16 for each 16
)

// Phase tells a kernel whether its rows are computed in a prefill or in a decode.
type Phase int

// The two phases. A kernel is chosen by phase, never by the number of rows.
const (
	Prefill Phase = iota
	Decode
)

// Heads is the shape of one attention layer.
type Heads struct {
	Heads, KVHeads, Dim int
}

// Scoring is how rows score keys: s = q k Scale, with Cap > 0 then s = Cap tanh(s / Cap). With Window > 0 a
// row at position p sees (p - Window, p], else everything up to itself.
type Scoring struct {
	Scale, Cap float32
	Window     int
}

// Gate is the function of a feed-forward layer's gate.
type Gate int

// The gates: x sigmoid(x), and GELU by its tanh approximation.
const (
	SiLU Gate = iota
	GELUTanh
)

// What follows is said on both sides; kernels.h has the same.
const (
	// BlockTokens is the number of tokens of one KV block of the own kernels.
	BlockTokens = 256
	// PanelColumns is the number of columns of a panel of weights. A panel of gate and up has half of each.
	PanelColumns = 32

	headMultiple = 32 // the dimension of a head is padded to a multiple of it
	group        = 32 // weights of one of ggml's blocks
	half         = 2  // bytes of a bf16 or f16 value
)

// RowBytes is what the first tokens of a block take at rest in 16 bits.
func (h Heads) RowBytes(layers, tokens int) int {
	return layers * tokens * 2 * h.KVHeads * h.Dim * half
}

// BlockElements is the number of bf16 values that one block holds for the given layers: K and V of
// BlockTokens tokens, the head dimension padded.
func (h Heads) BlockElements(layers int) int {
	return layers * 2 * h.KVHeads * BlockTokens * h.padded()
}

// QueryWidth is the number of values in a row of queries.
func (h Heads) QueryWidth() int { return h.Heads * h.padded() }

func (h Heads) padded() int { return (h.Dim + headMultiple - 1) / headMultiple * headMultiple }

// RowBytes is the number of bytes of a row of k weights.
func (s Source) RowBytes(k int) int {
	switch s {
	case FromF32:
		return 4 * k
	case FromF16, FromBF16:
		return half * k
	case FromQ8:
		return k / group * (half + group)
	case FromQ4:
		return k / group * (half + group/2)
	case FromQ51:
		return k / group * (2*half + group/8 + group/2)
	case FromQ6:
		return k / group * (2*half + group)
	}
	return k / group * (2*half + group/2)
}
