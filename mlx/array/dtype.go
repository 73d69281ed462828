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

// Source is the layout of weight rows as a file has them; quantised ones are ggml's blocks of 32.
type Source int

// The layouts that matrices are packed from.
const (
	FromF32 Source = iota
	FromF16
	FromBF16
	FromQ8
	FromQ4
	FromQ41
)

// Role tells a kernel whether its rows belong to a prompt or are generated tokens.
type Role int

// The two roles. A kernel is chosen by role, never by the number of rows.
const (
	Prompt Role = iota
	Generated
)

// Heads is the shape of one attention layer.
type Heads struct {
	Heads, KVHeads, Dim int
}

// Scoring is how rows score keys: s = q k Scale, with Cap > 0 then s = Cap tanh(s / Cap). With Window > 0 a row at
// position p sees (p - Window, p], else everything up to itself.
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

// BlockTokens is the number of tokens of one KV block of the own kernels.
const BlockTokens = 256

// RowBytes is what the first tokens of a block take at rest in 16 bits.
func (h Heads) RowBytes(layers, tokens int) int { return layers * tokens * 2 * h.KVHeads * h.Dim * 2 }

// BlockElements is the number of bf16 values that one block holds for the given layers: K and V of BlockTokens
// tokens, the head dimension padded to a multiple of 32.
func (h Heads) BlockElements(layers int) int {
	return layers * 2 * h.KVHeads * BlockTokens * h.padded()
}

// QueryWidth is the number of values in a row of queries.
func (h Heads) QueryWidth() int { return h.Heads * h.padded() }

func (h Heads) padded() int { return (h.Dim + 31) / 32 * 32 }

// RowBytes is the number of bytes of a row of k weights.
func (s Source) RowBytes(k int) int {
	switch s {
	case FromF32:
		return 4 * k
	case FromF16, FromBF16:
		return 2 * k
	case FromQ8:
		return k / 32 * 34
	case FromQ4:
		return k / 32 * 18
	}
	return k / 32 * 20
}
