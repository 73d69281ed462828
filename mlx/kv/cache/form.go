package cache

import (
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// Rows moves KV between the device's own layout and rows at rest.
type Rows interface {
	// Export returns the KV of a block's first tokens, one part for each layer.
	Export(from pool.Memory, tokens int) ([][]byte, error)
	// Import is its inverse, into a fresh block. It refuses parts of the wrong length.
	Import(to pool.Memory, tokens int, parts [][]byte) error
}

// Form is how this process keeps blocks at rest.
type Form struct {
	Bits   int
	Class  string
	Layers []blockfile.Layer
}

// buffer is memory for a full block's file whose pages are there: the first fetches after a start would wait
// for them.
func (f Form) buffer() []byte {
	size := 1 << 16 // for the header
	for _, l := range f.Layers {
		elements := 2 * kv.BlockTokens * l.KVHeads * l.HeadDim
		size += elements * f.Bits / 8
		if f.Bits < 16 {
			size += elements / 8 // scales and minimums
		}
	}
	buf := make([]byte, size)
	for at := 0; at < size; at += 4096 {
		buf[at] = 1
	}
	return buf
}

// check refuses a verified block of a form that this process can't import. It can import another numerics class.
func (f Form) check(h *blockfile.Header) error {
	if h.Bits != f.Bits || len(h.Layers) != len(f.Layers) {
		return fmt.Errorf("%w: it has %d layers in %d bits, not %d in %d", kv.ErrVersion, len(h.Layers), h.Bits, len(f.Layers), f.Bits)
	}
	for i, l := range h.Layers {
		if want := f.Layers[i]; l.Kind != want.Kind || l.KVHeads != want.KVHeads || l.HeadDim != want.HeadDim {
			return fmt.Errorf("%w: layer %d has another shape", kv.ErrVersion, i)
		}
	}
	return nil
}
