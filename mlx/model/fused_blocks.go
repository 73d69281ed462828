//go:build cgo

package model

import (
	"errors"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
)

// fusedBlock is a block of the kernels' KV. Freed ones are kept for the next sequence: fresh pages from the
// system cost more than the tokens that a small model computes into them. The engine's budget bounds how many
// there ever are.
type fusedBlock struct {
	*array.Block
	owner *fusedDecoder
}

// Free implements engine.Block.
func (b *fusedBlock) Free() {
	if b.Block != nil {
		b.owner.recycle(b.Block)
		b.Block = nil
	}
}

// recycle keeps a block's memory for the next one, until the model is closed.
func (m *fusedDecoder) recycle(b *array.Block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		b.Free()
		return
	}
	m.freed = append(m.freed, b)
}

// takeFreed returns a block that was freed, or nil.
func (m *fusedDecoder) takeFreed() *array.Block {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.freed) - 1
	if n < 0 {
		return nil
	}
	b := m.freed[n]
	m.freed = m.freed[:n]
	return b
}

// NewBlock implements engine.Model. The block is zeros: attention multiplies what lies behind a sequence's
// end with zero weights, which hides every number but not a NaN.
func (m *fusedDecoder) NewBlock() (engine.Block, error) {
	if b := m.takeFreed(); b != nil {
		b.Clear()
		return &fusedBlock{b, m}, nil
	}
	b, err := array.NewBlock(m.heads.BlockElements(len(m.layers)))
	if err != nil {
		return nil, err
	}
	return &fusedBlock{b, m}, nil
}

// Copy implements engine.Model.
func (m *fusedDecoder) Copy(to, from engine.Block) error {
	target, source := m.handle(to), m.handle(from)
	if target == nil || source == nil {
		return errors.New("copy a KV block: one of the two is freed or belongs to another model")
	}
	target.CopyFrom(source)
	return nil
}

// Export implements engine.Model: for each layer its keys and then its values, each [tokens][kv heads][dim]
// in bf16.
func (m *fusedDecoder) Export(from engine.Block, tokens int) ([][]byte, error) {
	b := m.handle(from)
	if b == nil {
		return nil, errors.New("export a KV block: it is freed or belongs to another model")
	}
	rows := make([]byte, m.heads.RowBytes(len(m.layers), max(tokens, 0)))
	if err := b.Rows(m.heads, len(m.layers), tokens, rows); err != nil {
		return nil, fmt.Errorf("export a KV block: %w", err)
	}
	if m.bits < 16 {
		rows = m.heads.Pack(rows, m.bits)
	}
	return splitLayers(rows, len(m.layers)), nil
}

// Import implements engine.Model.
func (m *fusedDecoder) Import(to engine.Block, tokens int, parts [][]byte) error {
	b := m.handle(to)
	if b == nil {
		return errors.New("import a KV block: it is freed or belongs to another model")
	}
	if tokens < 1 || tokens > engine.BlockTokens {
		return fmt.Errorf("import a KV block: it holds no %d tokens", tokens)
	}
	rows, err := joinLayers(parts, len(m.layers), m.heads.RestBytes(m.heads.RowBytes(1, tokens), m.bits))
	if err == nil && m.bits < 16 {
		rows, err = m.heads.Unpack(rows, m.bits, m.heads.RowBytes(len(m.layers), tokens))
	}
	if err == nil {
		err = b.SetRows(m.heads, len(m.layers), tokens, rows)
	}
	if err != nil {
		return fmt.Errorf("import a KV block: %w", err)
	}
	return nil
}

// handle returns the kernels' side of a block, or nil for one that is freed or another model's.
func (m *fusedDecoder) handle(b engine.Block) *array.Block {
	if own, ok := b.(*fusedBlock); ok && own.owner == m {
		return own.Block
	}
	return nil
}

// closeBlocks frees the blocks that were kept, and lets no more be.
func (m *fusedDecoder) closeBlocks() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.freed {
		b.Free()
	}
	m.freed, m.closed = nil, true
}
