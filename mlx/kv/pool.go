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
	"time"
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
	Clock      func() time.Time       // time.Now
	Reclaimed  func(lost bool)        // told of each block given up for another; lost: no lower tier has it. May be nil
}

// Pool hands out blocks. Its methods may be called from anywhere; those that take blocks or give them back allocate
// and free memory, which some devices allow on one thread only.
type Pool struct {
	cfg Config

	mu       sync.Mutex
	reserved int64
	moving   int64 // of those, bytes of memory that is being allocated or freed
	used     map[*Block]struct{}
	ready    []Memory // allocated ahead, with their bytes reserved
	sealed   *Index[*Block]
	shelves  shelves // the idle blocks
	uses     uint64  // counts gives, for the order of use
}

// Block is a reference-counted piece of KV memory.
type Block struct {
	memory  Memory
	refs    int              // guarded by Pool.mu, as all below
	sealed  *Indexed[*Block] // nil while the block is written
	lastUse uint64           // when its last reference went, in the order of such events
	usedAt  time.Time        // the same by the clock
	keep    time.Time        // to be given up after others until then
	kept    keeping          // what is known of copies in lower tiers
	fetched bool             // it came from a lower tier and was not used since
	shelf   *shelf           // while it is idle
	at      int              // its place there
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
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Pool{cfg: cfg, used: map[*Block]struct{}{}, sealed: NewIndex[*Block]()}, nil
}

// Capacity is the number of blocks that the budget holds.
func (p *Pool) Capacity() int { return int(p.cfg.Budget / p.cfg.BlockBytes) }

// Free is the number of blocks that can be taken now without loss: sealed ones that nobody uses count, unless they
// are on their way to a lower tier.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int((p.cfg.Budget - p.busy()) / p.cfg.BlockBytes)
}

// Take returns a new block with one reference, in place of a sealed one that nobody uses if need be: first of those
// that were fetched and not used, then of the others, then of those that are to be kept, last of those that no lower
// tier has yet; of each the one used longest ago. It fails with ErrFull when every block is in use, and with the
// allocator's error when the device has less memory than the budget promised; then nothing stays reserved.
func (p *Pool) Take() (*Block, error) { return p.take(rankPending) }

// TakeSpare is Take for a block that is fetched ahead: for it nothing is given up that was itself fetched ahead, is to
// be kept, or is not yet in a lower tier.
func (p *Pool) TakeSpare() (*Block, error) { return p.take(rankIdle) }

// TakeSafe is Take for a block that is fetched for somebody who waits: nothing is given up for it that would be lost.
func (p *Pool) TakeSafe() (*Block, error) { return p.take(rankRetained) }

func (p *Pool) take(most rank) (*Block, error) {
	if block := p.takeReady(); block != nil {
		return block, nil
	}
	for !p.reserve() {
		if !p.reclaim(most) {
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
	p.moving -= p.cfg.BlockBytes
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
	p.shelve(b)
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
	p.moving += p.cfg.BlockBytes
	return true
}

func (p *Pool) unreserve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved -= p.cfg.BlockBytes
	p.moving -= p.cfg.BlockBytes
}

// allocate makes the block with its bytes reserved.
func (p *Pool) allocate() (*Block, error) {
	memory, err := p.allocateMemory()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moving -= p.cfg.BlockBytes
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
		b.lastUse, b.usedAt = p.uses, p.cfg.Clock()
		p.shelve(b)
		return false
	}
	p.leave(b)
	return true
}

// leave takes a block out of the pool. The caller holds mu and frees it.
func (p *Pool) leave(b *Block) {
	delete(p.used, b)
	p.shelve(b)
	p.moving += p.cfg.BlockBytes
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
	Busy        int64   // of those, bytes of blocks in use or on their way to a lower tier
	Pending     int64   // of those, bytes of blocks that are only on their way to a lower tier
	Blocks      int     // blocks in use or sealed
	Utilization float64 // Busy over Budget
}

// Stats returns the figures. Utilisation is the share of the budget that running and admitted sequences hold;
// and that is not yet durable in a healthy lower tier; what could be dropped without loss doesn't count.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Budget:      p.cfg.Budget,
		Resident:    p.reserved,
		Busy:        p.busy(),
		Pending:     p.pending(),
		Blocks:      len(p.used),
		Utilization: float64(p.busy()) / float64(p.cfg.Budget),
	}
}

// busy is the number of bytes of blocks that somebody uses or that are pending. The caller holds mu.
func (p *Pool) busy() int64 {
	idle := p.shelves[rankFetched].Len() + p.shelves[rankIdle].Len() + p.shelves[rankRetained].Len()
	return int64(len(p.used)-idle) * p.cfg.BlockBytes
}

// pending is the number of bytes of pending blocks that nobody uses. The caller holds mu.
func (p *Pool) pending() int64 {
	return int64(p.shelves[rankPending].Len()) * p.cfg.BlockBytes
}

// Check verifies the pool's invariants.
func (p *Pool) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := int64(len(p.used)+len(p.ready))*p.cfg.BlockBytes + p.moving; p.reserved != want {
		return fmt.Errorf("kv pool: %d bytes reserved for %d blocks and %d ready ones of %d bytes, and %d on the move",
			p.reserved, len(p.used), len(p.ready), p.cfg.BlockBytes, p.moving)
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
	return p.checkShelves()
}
