// Package pool is the one pool of equal blocks of KV memory on the device, under one byte budget: blocks are
// allocated, shared by reference count, found by their names once they are published, and evicted when their
// memory is needed.
//
// A block is written by one sequence until it is published; from then on nobody writes it. A published block
// to which nobody has a reference is idle: it can be found, and it can be evicted.
//
// Invariants, which Check verifies: the bytes reserved are exactly those of the blocks in the pool; they
// never exceed the budget; a block without references is published and can be found, else it is freed, once.
//
// The parts of a pool have a file each, named after their subject: the budget of bytes, the blocks with their
// references, the prefix index, eviction, and the copies in tiers. They share the state that one lock guards,
// which is never held while memory is allocated or freed, nor while anybody is told of an eviction.
package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
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
	// Share is the part of the budget that a tenant keeps when memory is needed: one with more published
	// blocks loses its own before others lose any. 0 and 1 are no bound.
	Share   float64
	Clock   func() time.Time // time.Now
	Evicted func(Evicted)    // called for each block evicted for the sake of another. May be nil
	Meter   kv.Meter         // told which blocks are published, and which are so no more; nil: nobody is
}

// Pool hands out blocks. Its methods, which are those of its parts, may be called from anywhere; those that
// allocate blocks or release them allocate and free memory, which some devices allow on one thread only.
type Pool struct {
	*budget
	*blocks
	*prefixIndex
	*eviction
	*copyStates

	cfg   *Config
	state *state
}

// New returns an empty pool, or an error if the budget doesn't hold a single block.
func New(cfg Config) (*Pool, error) {
	if cfg.BlockBytes <= 0 {
		return nil, fmt.Errorf("create kv pool: a block of %d bytes makes no sense", cfg.BlockBytes)
	}
	if cfg.Budget < cfg.BlockBytes {
		return nil, fmt.Errorf("create kv pool: the budget of %d bytes holds no block of %d bytes; raise the budget",
			cfg.Budget, cfg.BlockBytes)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Meter == nil {
		cfg.Meter = kv.NoMeter{}
	}
	s := newState(&cfg)
	evicts := &eviction{state: s}
	refs := &blocks{s, evicts}
	return &Pool{
		budget: s.budget, blocks: refs, prefixIndex: &prefixIndex{s, refs}, eviction: evicts, copyStates: &copyStates{s},
		cfg: &cfg, state: s,
	}, nil
}

// Capacity is the number of blocks that the budget holds.
func (p *Pool) Capacity() int { return int(p.cfg.Budget / p.cfg.BlockBytes) }

// BlockBytes is what a block takes in the pool.
func (p *Pool) BlockBytes() int64 { return p.cfg.BlockBytes }

// Stats are a pool's figures at one moment.
type Stats struct {
	Budget      int64
	Resident    int64   // bytes of all blocks, those allocated ahead included
	Busy        int64   // of those, bytes of blocks in use, or unsaved and being written to a tier
	Unsaved     int64   // of those, bytes of blocks that nobody uses and that are being written and in no tier yet
	Blocks      int     // blocks in use or published
	Utilization float64 // Busy over Budget
}

// Stats returns the figures. Utilisation is the share of the budget that cannot be had without loss: what
// sequences hold, and what is on its way to a first tier.
func (p *Pool) Stats() Stats {
	s := p.state
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Budget:      p.cfg.Budget,
		Resident:    s.budget.reserved,
		Busy:        s.busy(),
		Unsaved:     s.unsaved(),
		Blocks:      len(s.all),
		Utilization: float64(s.busy()) / float64(p.cfg.Budget),
	}
}

// Free is the number of blocks that can be allocated now without loss: idle ones count, unless they are on
// their way to a first tier.
func (p *Pool) Free() int {
	p.state.mu.Lock()
	defer p.state.mu.Unlock()
	return int((p.cfg.Budget - p.state.busy()) / p.cfg.BlockBytes)
}

// Check verifies the pool's invariants.
func (p *Pool) Check() error {
	p.state.mu.Lock()
	defer p.state.mu.Unlock()
	return p.state.check()
}
