// Package kv accounts for the memory that holds keys and values: one pool of equal blocks under one byte budget.
//
// Invariants, which Check verifies: the bytes reserved are exactly those of the blocks in use; they never exceed
// the budget; every block in use has at least one reference; a block is freed once, when its last reference goes.
package kv

import (
	"errors"
	"fmt"
	"sync"
)

// ErrFull says that the budget has no room for another block. The caller gives something back or waits.
var ErrFull = errors.New("kv pool is full")

// Memory is what a block stands for on the device.
type Memory interface {
	// Free gives the memory back.
	Free()
}

// Config describes a pool.
type Config struct {
	Budget     int64                  // bytes that all blocks together may take
	BlockBytes int64                  // bytes of one block
	Allocate   func() (Memory, error) // makes one block's memory; called with its bytes reserved
}

// Pool hands out blocks. Blocks are taken and given back on the thread that owns the device, since that allocates
// and frees memory there; Stats and Check may be called from anywhere.
type Pool struct {
	cfg Config

	mu       sync.Mutex
	reserved int64
	used     map[*Block]struct{}
}

// Block is a reference-counted piece of KV memory.
type Block struct {
	memory Memory
	refs   int // guarded by Pool.mu
}

// Memory returns the device's side of the block.
func (b *Block) Memory() Memory { return b.memory }

// NewPool returns an empty pool, or an error if the budget doesn't hold a single block.
func NewPool(cfg Config) (*Pool, error) {
	if cfg.BlockBytes <= 0 {
		return nil, fmt.Errorf("create kv pool: a block of %d bytes makes no sense", cfg.BlockBytes)
	}
	if cfg.Budget < cfg.BlockBytes {
		return nil, fmt.Errorf("create kv pool: the budget of %d bytes holds no block of %d bytes; raise the budget",
			cfg.Budget, cfg.BlockBytes)
	}
	return &Pool{cfg: cfg, used: map[*Block]struct{}{}}, nil
}

// Capacity is the number of blocks that the budget holds.
func (p *Pool) Capacity() int { return int(p.cfg.Budget / p.cfg.BlockBytes) }

// Free is the number of blocks that can be taken now.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int((p.cfg.Budget - p.reserved) / p.cfg.BlockBytes)
}

// Take returns a new block with one reference. It fails with ErrFull when the budget is used up, and with the
// allocator's error when the device has less memory than the budget promised; then nothing stays reserved.
func (p *Pool) Take() (*Block, error) {
	if !p.reserve() {
		return nil, ErrFull
	}
	block, err := p.allocate()
	if err != nil {
		p.unreserve()
		return nil, fmt.Errorf("allocate kv block of %d bytes: %w", p.cfg.BlockBytes, err)
	}
	return block, nil
}

// Share adds a reference to a block in use.
func (p *Pool) Share(b *Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mustUse(b)
	b.refs++
}

// Give drops one reference; the last one frees the block.
func (p *Pool) Give(b *Block) {
	if p.drop(b) {
		b.memory.Free()
		p.unreserve()
	}
}

func (p *Pool) reserve() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reserved+p.cfg.BlockBytes > p.cfg.Budget {
		return false
	}
	p.reserved += p.cfg.BlockBytes
	return true
}

func (p *Pool) unreserve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved -= p.cfg.BlockBytes
}

// allocate makes the block with its bytes reserved. A panic of the allocator gives the reservation back by way of
// an error, like every other failure.
func (p *Pool) allocate() (block *Block, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	memory, err := p.cfg.Allocate()
	if err != nil {
		return nil, err
	}
	block = &Block{memory: memory, refs: 1}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[block] = struct{}{}
	return block, nil
}

// drop takes one reference away and reports whether it was the last.
func (p *Pool) drop(b *Block) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mustUse(b)
	b.refs--
	if b.refs > 0 {
		return false
	}
	delete(p.used, b)
	return true
}

// mustUse panics for a block that is not in use: using freed memory is a bug that must not go on.
func (p *Pool) mustUse(b *Block) {
	if _, ok := p.used[b]; !ok {
		panic("kv: block is not in use in this pool")
	}
}

// Stats are a pool's figures at one moment.
type Stats struct {
	Budget      int64
	Reserved    int64 // bytes of blocks in use
	Blocks      int   // blocks in use
	Utilization float64
}

// Stats returns the figures. Utilisation is the share of the budget that running and admitted sequences hold;
// blocks that could be dropped at once don't count.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Budget:      p.cfg.Budget,
		Reserved:    p.reserved,
		Blocks:      len(p.used),
		Utilization: float64(p.reserved) / float64(p.cfg.Budget),
	}
}

// Check verifies the pool's invariants. It must not run while another goroutine is inside Take or Give.
func (p *Pool) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := int64(len(p.used)) * p.cfg.BlockBytes; p.reserved != want {
		return fmt.Errorf("kv pool: %d bytes reserved for %d blocks of %d bytes", p.reserved, len(p.used), p.cfg.BlockBytes)
	}
	if p.reserved > p.cfg.Budget {
		return fmt.Errorf("kv pool: %d bytes reserved over a budget of %d", p.reserved, p.cfg.Budget)
	}
	for block := range p.used {
		if block.refs < 1 {
			return fmt.Errorf("kv pool: a block in use has %d references", block.refs)
		}
	}
	return nil
}
