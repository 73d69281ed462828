// Package kv names, keeps and accounts for keys and values: the identity and the format of blocks, the tiers that
// keep them, and the one pool of equal blocks that holds them on the device under one byte budget.
//
// Invariants of the pool, which Check verifies: the bytes reserved are exactly those of the blocks in the pool; they
// never exceed the budget; a block without references is sealed and can be found by its key, else it is freed, once.
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
	ready    []Memory // allocated ahead, with their bytes reserved
	sealed   *Index[*Block]
	uses     uint64 // counts gives, for the order of use
}

// Block is a reference-counted piece of KV memory.
type Block struct {
	memory  Memory
	refs    int              // guarded by Pool.mu, as all below
	sealed  *Indexed[*Block] // nil while the block is written
	lastUse uint64           // when its last reference went
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
	return &Pool{cfg: cfg, used: map[*Block]struct{}{}, sealed: NewIndex[*Block]()}, nil
}

// Capacity is the number of blocks that the budget holds.
func (p *Pool) Capacity() int { return int(p.cfg.Budget / p.cfg.BlockBytes) }

// Free is the number of blocks that can be taken now, those included that are sealed and that nobody uses.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int((p.cfg.Budget - p.busy()) / p.cfg.BlockBytes)
}

// Take returns a new block with one reference, in place of the sealed block that was used longest ago if need be. It
// fails with ErrFull when every block is in use, and with the allocator's error when the device has less memory than
// the budget promised; then nothing stays reserved.
func (p *Pool) Take() (*Block, error) {
	if block := p.takeReady(); block != nil {
		return block, nil
	}
	for !p.reserve() {
		if !p.reclaim() {
			return nil, ErrFull
		}
	}
	block, err := p.allocate()
	if err != nil {
		p.unreserve()
		return nil, fmt.Errorf("allocate kv block of %d bytes: %w", p.cfg.BlockBytes, err)
	}
	return block, nil
}

// Prepare allocates one block ahead, so that a later Take need not wait for its memory, unless there are as many as
// wanted already or the budget has no room for another one. It reports whether it did.
func (p *Pool) Prepare(wanted int) (bool, error) {
	if p.readyBlocks() >= wanted || !p.reserve() {
		return false, nil
	}
	memory, err := p.allocateMemory()
	if err != nil {
		p.unreserve()
		return false, fmt.Errorf("allocate kv block of %d bytes ahead: %w", p.cfg.BlockBytes, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, memory)
	return true, nil
}

func (p *Pool) readyBlocks() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ready)
}

// takeReady returns a block that was allocated ahead, or nil.
func (p *Pool) takeReady() *Block {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.ready) - 1
	if last < 0 {
		return nil
	}
	block := p.enterUsed(p.ready[last])
	p.ready = p.ready[:last]
	return block
}

// enterUsed makes a block of memory. The caller holds mu.
func (p *Pool) enterUsed(memory Memory) *Block {
	block := &Block{memory: memory, refs: 1}
	p.used[block] = struct{}{}
	return block
}

// Share adds a reference to a block in use.
func (p *Pool) Share(b *Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mustUse(b)
	b.refs++
}

// Give drops one reference. With the last one a block is freed, unless it is sealed: then it stays to be found until
// its memory is needed.
func (p *Pool) Give(b *Block) {
	if p.drop(b) {
		p.free(b)
	}
}

func (p *Pool) free(b *Block) {
	b.memory.Free()
	p.unreserve()
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

// allocate makes the block with its bytes reserved.
func (p *Pool) allocate() (*Block, error) {
	memory, err := p.allocateMemory()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.enterUsed(memory), nil
}

// allocateMemory calls the allocator. Its panic is an error like every other failure.
func (p *Pool) allocateMemory() (memory Memory, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return p.cfg.Allocate()
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
	if b.sealed != nil {
		p.uses++
		b.lastUse = p.uses
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
	Resident    int64   // bytes of all blocks, those ready for use included
	Busy        int64   // of those, bytes of blocks in use
	Blocks      int     // blocks in use or sealed
	Utilization float64 // Busy over Budget
}

// Stats returns the figures. Utilisation is the share of the budget that running and admitted sequences hold;
// blocks that could be dropped at once don't count.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Budget:      p.cfg.Budget,
		Resident:    p.reserved,
		Busy:        p.busy(),
		Blocks:      len(p.used),
		Utilization: float64(p.busy()) / float64(p.cfg.Budget),
	}
}

// busy is the number of bytes of blocks that somebody uses. The caller holds mu.
func (p *Pool) busy() (bytes int64) {
	for b := range p.used {
		if b.refs > 0 {
			bytes += p.cfg.BlockBytes
		}
	}
	return bytes
}

// Check verifies the pool's invariants. It must not run while another goroutine is inside Take or Give.
func (p *Pool) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := int64(len(p.used)+len(p.ready)) * p.cfg.BlockBytes; p.reserved != want {
		return fmt.Errorf("kv pool: %d bytes reserved for %d blocks and %d ready ones of %d bytes",
			p.reserved, len(p.used), len(p.ready), p.cfg.BlockBytes)
	}
	if p.reserved > p.cfg.Budget {
		return fmt.Errorf("kv pool: %d bytes reserved over a budget of %d", p.reserved, p.cfg.Budget)
	}
	for block := range p.used {
		if block.refs < 0 || block.refs == 0 && block.sealed == nil {
			return fmt.Errorf("kv pool: a block has %d references, sealed: %v", block.refs, block.sealed != nil)
		}
		if block.sealed != nil && p.sealed.Get(block.sealed.Space, block.sealed.Key) != block.sealed {
			return fmt.Errorf("kv pool: the sealed block %s can't be found", block.sealed.Key)
		}
	}
	if p.sealed.Len() > len(p.used) {
		return fmt.Errorf("kv pool: %d sealed blocks among %d", p.sealed.Len(), len(p.used))
	}
	return nil
}
