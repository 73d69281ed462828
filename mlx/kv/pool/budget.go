package pool

import (
	"fmt"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// budget is how much memory the pool may have and has, and the memory that is allocated ahead. The pool's lock
// guards it.
type budget struct {
	cfg      *Config
	mu       *sync.Mutex
	reserved int64
	moving   int64    // of those, bytes of memory that is being allocated or freed
	spare    []Memory // allocated ahead, with their bytes reserved
	trimmed  bool     // the spare memory was given back: none is allocated ahead until a block is allocated
}

// AllocateAhead allocates memory for one block, so that a later Allocate need not wait for it, unless there is
// as much as wanted already, the budget has no room for another block, or what was spare has been freed since
// the last Allocate. It reports whether it did.
func (b *budget) AllocateAhead(wanted int) (bool, error) {
	if !b.lacksSpare(wanted) || !b.reserve() {
		return false, nil
	}
	memory, err := b.allocateMemory()
	if err != nil {
		b.unreserve()
		return false, fmt.Errorf("allocate kv block of %d bytes ahead: %w", b.cfg.BlockBytes, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.moving -= b.cfg.BlockBytes
	b.spare = append(b.spare, memory)
	return true, nil
}

func (b *budget) lacksSpare(wanted int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.spare) < wanted && !b.trimmed
}

// takeSpare takes memory that was allocated ahead, and reports whether there was some. The caller holds mu.
func (b *budget) takeSpare() (memory Memory, ok bool) {
	last := len(b.spare) - 1
	if last < 0 {
		return nil, false
	}
	memory = b.spare[last]
	b.spare = b.spare[:last]
	return memory, true
}

// FreeSpare frees what was allocated ahead, and allocates nothing ahead again until a block is allocated.
func (b *budget) FreeSpare() (freed kv.Moved) {
	b.mu.Lock()
	spare := b.spare
	b.spare, b.trimmed = nil, true
	b.moving += int64(len(spare)) * b.cfg.BlockBytes
	b.mu.Unlock()
	for _, memory := range spare {
		memory.Free()
		b.unreserve()
		freed.Add(b.cfg.BlockBytes)
	}
	return freed
}

// reserve takes the bytes of one block, which are on the move until its memory is allocated. It reports false
// if there is no room.
func (b *budget) reserve() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reserved+b.cfg.BlockBytes > b.cfg.Budget {
		return false
	}
	b.reserved += b.cfg.BlockBytes
	b.moving += b.cfg.BlockBytes
	return true
}

// unreserve gives the bytes of memory back that was on the move.
func (b *budget) unreserve() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved -= b.cfg.BlockBytes
	b.moving -= b.cfg.BlockBytes
}

// allocateMemory calls the allocator. Its panic is an error like every other failure.
func (b *budget) allocateMemory() (memory Memory, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return b.cfg.Allocate()
}

// check verifies that what is reserved is what so many blocks take. The caller holds mu.
func (b *budget) check(blocks int) error {
	if want := int64(blocks+len(b.spare))*b.cfg.BlockBytes + b.moving; b.reserved != want {
		return fmt.Errorf("kv pool: %d bytes reserved for %d blocks and %d spare ones of %d bytes, and %d on the move",
			b.reserved, blocks, len(b.spare), b.cfg.BlockBytes, b.moving)
	}
	if b.reserved > b.cfg.Budget {
		return fmt.Errorf("kv pool: %d bytes reserved over a budget of %d", b.reserved, b.cfg.Budget)
	}
	return nil
}
