package pool

import (
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// priority is the order in which idle blocks are evicted.
type priority uint8

const (
	fetchedFirst priority = iota // fetched ahead and not used yet
	leastRecent                  // found again perhaps
	pinned                       // somebody asked to keep it
	unsaved                      // it would be lost

	priorities = iota
)

// Evicted is a block that the pool has no more.
type Evicted struct {
	kv.Entry
	Clean    Tiers // that have it
	IsWanted bool  // somebody is likely to use it again: an agent owns it, or it was used before
	Payer    kv.Payer
}

// evicted describes a block that was unlinked.
func (b *Block) evicted() Evicted {
	return Evicted{b.published.Entry, b.copies.clean, b.isWanted(), b.payer}
}

// eviction takes idle blocks out of the pool.
type eviction struct {
	*state
	left func(Evicted) // told of what left the pool. The pool's lock guards it
}

// Pin has the block evicted after others until the given time; zero ends that.
func (e *eviction) Pin(s kv.Space, k kv.Key, until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.published(s, k); b != nil {
		b.pinned = until
		e.requeue(b)
	}
}

// evict frees an idle block of at most the given priority, and reports whether there was one.
func (e *eviction) evict(last priority) bool {
	b := e.unlink(func() *Block { return e.idle.victim(last, last > leastRecent, e.cfg.Clock(), e.overShare()) })
	if b == nil {
		return false
	}
	e.gone(b)
	if e.cfg.Evicted != nil {
		e.cfg.Evicted(b.evicted())
	}
	return true
}

// OnLeave has f called for every published block that has left the pool, whatever for, unless it was removed
// for good or a longer one says all that it did. It is called once, before the first block is published.
func (e *eviction) OnLeave(f func(Evicted)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left = f
}

// gone frees a block that was unlinked, and tells of it.
func (e *eviction) gone(b *Block) {
	e.free(b)
	e.mu.Lock()
	left := e.left
	e.mu.Unlock()
	if left != nil {
		left(b.evicted())
	}
}

// unlink takes the block that choose returns out of the pool.
func (e *eviction) unlink(choose func() *Block) *Block {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := choose()
	if b != nil {
		e.unpublish(b)
	}
	return b
}

// EvictAll frees every idle block and what was allocated ahead, and returns what that gave.
func (e *eviction) EvictAll() kv.Moved {
	freed := e.budget.FreeSpare()
	for b := e.unlink(e.anyIdle); b != nil; b = e.unlink(e.anyIdle) {
		e.free(b)
		freed.Add(e.cfg.BlockBytes)
	}
	return freed
}

// anyIdle is the idle block to evict next. The caller holds mu.
func (e *eviction) anyIdle() *Block { return e.idle.victim(unsaved, true, e.cfg.Clock(), nil) }

// EvictIdle frees a published block unless somebody uses it or it is unsaved. It reports whether it did.
func (e *eviction) EvictIdle(s kv.Space, k kv.Key) bool {
	return e.evictIf(s, k, func(b *Block) bool { return b.refs == 0 && !b.copies.isUnsaved() })
}

// EvictLeaf frees a published block that nobody uses and that no other block continues. It reports whether it did.
func (e *eviction) EvictLeaf(s kv.Space, k kv.Key) bool {
	return e.evictIf(s, k, func(b *Block) bool { return b.refs == 0 && e.index.Children(s, k) == 0 })
}

func (e *eviction) evictIf(s kv.Space, k kv.Key, may func(*Block) bool) bool {
	b := e.unlink(func() *Block {
		if b := e.published(s, k); b != nil && may(b) {
			return b
		}
		return nil
	})
	if b == nil {
		return false
	}
	e.gone(b)
	return true
}

// Idle is a published block that nobody uses.
type Idle struct {
	kv.Entry
	Used time.Time // last
}

// Idle are the blocks that nobody uses and that are not unsaved, in the order in which Allocate evicts them
// while no tenant has more than its share.
func (e *eviction) Idle() (idle []Idle) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle.unpin(e.cfg.Clock())
	for r := range unsaved {
		q := evictionQueue{priority: r, blocks: slices.Clone(e.idle[r].blocks)}
		slices.SortFunc(q.blocks, q.compare)
		for _, b := range q.blocks {
			idle = append(idle, Idle{b.published.Entry, b.usedAt})
		}
	}
	return idle
}
