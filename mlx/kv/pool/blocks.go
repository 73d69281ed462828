package pool

import (
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Block is a reference-counted piece of KV memory.
type Block struct {
	memory    Memory
	refs      int                 // guarded by the pool's lock, as all below
	published *kv.Indexed[*Block] // nil while the block is written
	lastUse   uint64              // when its last reference went, in the order of such events
	usedAt    time.Time           // the same by the clock
	pinned    time.Time           // to be evicted after others until then
	payer     kv.Payer            // whom it is charged to once it is published
	copies    copies
	owned     bool           // an agent's
	uses      int            // that have ended; what came from a tier had one before
	fetched   bool           // it came from a tier and was not used since
	queue     *evictionQueue // while it is idle
	at        int            // its place there
}

// Memory returns the device's side of the block.
func (b *Block) Memory() Memory { return b.memory }

// priority is the order in which the block is evicted while it is idle. The caller holds the pool's lock.
func (b *Block) priority(now time.Time) priority {
	switch {
	case b.copies.isUnsaved():
		return unsaved
	case b.pinned.After(now):
		return pinned
	case b.fetched:
		return fetchedFirst
	}
	return leastRecent
}

// isWanted tells whether somebody is likely to use the block again: it is an agent's, or was used before.
func (b *Block) isWanted() bool { return b.owned || b.uses > 1 }

// blocks allocates blocks and counts the references to them.
type blocks struct {
	*state
	eviction *eviction
}

// Allocate returns a new block with one reference, evicting an idle one if need be: first of those that were
// fetched and not used, then of the others, then of those that are pinned, last of those that no tier has yet;
// of each the one used longest ago. It fails with ErrFull when every block is in use, and with the allocator's
// error when the device has less memory than the budget promised; then nothing stays reserved.
func (a *blocks) Allocate() (*Block, error) { return a.allocateEvicting(unsaved) }

// AllocateSpare is Allocate for a block that is fetched ahead: nothing is evicted for it that was itself fetched
// ahead, is pinned, or is not yet in a tier.
func (a *blocks) AllocateSpare() (*Block, error) { return a.allocateEvicting(leastRecent) }

// AllocateSafe is Allocate for a block that is fetched for somebody who waits: nothing is evicted for it that would
// be lost.
func (a *blocks) AllocateSafe() (*Block, error) { return a.allocateEvicting(pinned) }

func (a *blocks) allocateEvicting(last priority) (*Block, error) {
	if block := a.addSpare(); block != nil {
		return block, nil
	}
	for !a.budget.reserve() {
		if !a.eviction.evict(last) {
			return nil, ErrFull
		}
	}
	memory, err := a.budget.allocateMemory()
	if err != nil {
		a.budget.unreserve()
		return nil, fmt.Errorf("allocate kv block of %d bytes: %w", a.cfg.BlockBytes, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.budget.moving -= a.cfg.BlockBytes
	return a.add(memory), nil
}

// addSpare returns a block of memory that was allocated ahead, or nil. From now on memory may be allocated
// ahead again.
func (a *blocks) addSpare() *Block {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.budget.trimmed = false
	if memory, ok := a.budget.takeSpare(); ok {
		return a.add(memory)
	}
	return nil
}

// Charge tells whom a block is charged to that is not published yet: who had it made first, whoever shares it later.
func (a *blocks) Charge(b *Block, p kv.Payer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mustHave(b)
	if b.published == nil {
		b.payer = p
	}
}

// Payer is whom a published block is charged to; nil for nobody, and for a block that the pool does not have.
func (a *blocks) Payer(s kv.Space, k kv.Key) kv.Payer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b := a.published(s, k); b != nil {
		return b.payer
	}
	return nil
}

// AddRef adds a reference to a block in use.
func (a *blocks) AddRef(b *Block) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mustHave(b)
	b.refs++
	a.requeue(b)
}

// Release drops one reference. With the last one a block is freed, unless it is published: then it stays to be found
// until its memory is needed.
func (a *blocks) Release(b *Block) {
	if a.drop(b, true) {
		a.free(b)
	}
}

// ReleaseUnused is Release for those who only copied the block to a tier: that is no use of it.
func (a *blocks) ReleaseUnused(b *Block) {
	if a.drop(b, false) {
		a.free(b)
	}
}

// drop takes one reference away, notes the use if it was one, and reports whether the block is to be freed.
func (a *blocks) drop(b *Block, isUse bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mustHave(b)
	b.refs--
	if isUse && b.published != nil {
		a.uses++
		b.uses++
		b.lastUse, b.usedAt = a.uses, a.cfg.Clock()
	}
	if b.refs > 0 {
		return false
	}
	if b.published != nil {
		a.requeue(b)
		return false
	}
	a.remove(b)
	return true
}
