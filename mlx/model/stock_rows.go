//go:build cgo

package model

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
)

// Export implements engine.Model, as the fused decoder does.
func (m *stockDecoder) Export(from engine.Block, tokens int) ([][]byte, error) {
	b, err := m.ownBlock(from, tokens)
	if err != nil {
		return nil, fmt.Errorf("export a KV block: %w", err)
	}
	s := array.NewScope()
	defer s.Close()
	parts, heads := make([][]byte, len(m.layers)), m.heads()
	for i := range parts {
		for _, a := range []*array.Array{b.k[i], b.v[i]} {
			first := s.Slice(a, []int{0, 0, 0, 0}, []int{1, heads.KVHeads, tokens, heads.Dim})
			bits, err := s.Uint16s(s.Contiguous(s.Transpose(first, 0, 2, 1, 3)))
			if err != nil {
				return nil, fmt.Errorf("export layer %d of a KV block: %w", i, err)
			}
			parts[i] = append(parts[i], unsafe.Slice((*byte)(unsafe.Pointer(&bits[0])), 2*len(bits))...)
		}
	}
	return m.pack(parts), nil
}

// pack is the parts in the bits at rest.
func (m *stockDecoder) pack(parts [][]byte) [][]byte {
	if m.bits == 16 {
		return parts
	}
	for i := range parts {
		parts[i] = m.heads().Pack(parts[i], m.bits)
	}
	return parts
}

func (m *stockDecoder) heads() array.Heads { return headsOf(m.config) }

// Import implements engine.Model.
func (m *stockDecoder) Import(to engine.Block, tokens int, parts [][]byte) error {
	b, err := m.ownBlock(to, tokens)
	heads := m.heads()
	if err == nil {
		_, err = joinLayers(parts, len(m.layers), heads.RestBytes(heads.RowBytes(1, tokens), m.bits))
	}
	if err != nil {
		return fmt.Errorf("import a KV block: %w", err)
	}
	for i, part := range parts {
		if m.bits < 16 {
			if part, err = heads.Unpack(part, m.bits, heads.RowBytes(1, tokens)); err != nil {
				return fmt.Errorf("import layer %d of a KV block: %w", i, err)
			}
		}
		half := len(part) / 2
		b.k[i] = m.setRows(b.scope, b.k[i], part[:half], tokens)
		b.v[i] = m.setRows(b.scope, b.v[i], part[half:], tokens)
	}
	return b.scope.Eval(append(append([]*array.Array{}, b.k...), b.v...)...)
}

func (m *stockDecoder) setRows(s *array.Scope, kv *array.Array, rows []byte, tokens int) *array.Array {
	heads := m.heads()
	part := s.Transpose(s.FromBytes(rows, array.BFloat16, 1, tokens, heads.KVHeads, heads.Dim), 0, 2, 1, 3)
	return s.SliceUpdate(kv, part, []int{0, 0, 0, 0}, []int{1, heads.KVHeads, tokens, heads.Dim})
}

// ownBlock returns this model's side of a block whose KV has a form at rest.
func (m *stockDecoder) ownBlock(block engine.Block, tokens int) (*stockBlock, error) {
	b, ok := block.(*stockBlock)
	switch {
	case m.dtype != array.BFloat16:
		return nil, errors.New("KV in full precision has no form at rest")
	case !ok:
		return nil, errors.New("it belongs to another model")
	case tokens < 1 || tokens > engine.BlockTokens:
		return nil, fmt.Errorf("a block holds no %d tokens", tokens)
	}
	return b, nil
}
