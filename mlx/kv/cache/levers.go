package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// levers are what operators move blocks by, and look at what is where.
type levers struct {
	cfg       *Config
	mu        *sync.Mutex // the lock that the parts share
	deletes   deletions
	events    *events
	catalog   *catalog
	writeback *writeback
	fetcher   *fetcher
}

// Evict takes the chains' blocks out of the pool, the last first, as far as nothing else uses or continues
// them. What the tier of that name (empty: any tier) does not have is stored before; what can't be stored
// stays, and the error says so.
func (l *levers) Evict(ctx context.Context, chains []kv.Chain, to string) (moved kv.Moved, err error) {
	left := 0
	for _, chain := range chains {
		refs := chain.Refs()
		if err := l.writeback.secure(ctx, refs, to); err != nil {
			return moved, fmt.Errorf("evict a conversation: %w", err)
		}
		for _, e := range slices.Backward(refs) {
			if _, there := l.catalog.inTier(ctx, e, to); len(l.cfg.Tiers) > 0 && !there && l.cfg.Pool.Has(e.Space, e.Key) {
				left++
				continue
			}
			if l.evictLeaf(e) {
				moved.Add(l.cfg.Pool.BlockBytes())
			}
		}
	}
	l.events.reclaimed("evict", moved.Blocks)
	if left > 0 {
		return moved, fmt.Errorf("evict a conversation: %d of its blocks stay in the pool, since the tier below did not take them; look at the tiers' states", left)
	}
	return moved, nil
}

func (l *levers) evictLeaf(ref kv.Ref) (evicted bool) {
	l.cfg.OnDevice(func() { evicted = l.cfg.Pool.EvictLeaf(ref.Space, ref.Key) })
	return evicted
}

// Prefetch brings the chains' blocks into the pool as far as it has room for them, and waits until they are there.
func (l *levers) Prefetch(ctx context.Context, t *kv.Tenant, chains []kv.Chain) (moved kv.Moved, err error) {
	var flights []*Flight
	for _, chain := range chains {
		l.catalog.Learn(ctx, chain.Refs())
		for _, f := range l.catalog.Lookup(ctx, chain.Refs()) {
			if f.Exists() && !f.InPool {
				flights = append(flights, l.fetcher.Fetch(t, kv.PayerOf(ctx), f, nil))
			}
		}
	}
	var failed int
	var cause error
	for _, f := range flights {
		switch err := f.Wait(ctx); {
		case err == nil:
			moved.Add(f.Bytes)
		case ctx.Err() != nil:
			return moved, fmt.Errorf("prefetch a conversation: %w", err)
		case errors.Is(err, pool.ErrFull):
			moved.NoRoom++
		case errors.Is(err, errDeleted), errors.Is(err, kv.ErrNotFound): // there is nothing to move
		default:
			failed, cause = failed+1, err
		}
	}
	if failed > 0 {
		return moved, fmt.Errorf("prefetch a conversation: %d of %d blocks could not be read: %w", failed, len(flights), cause)
	}
	return moved, nil
}

// Pin gives the chains' blocks up after others until the given time, in every tier. Zero ends that.
func (l *levers) Pin(chains []kv.Chain, until time.Time) {
	for _, chain := range chains {
		entries := chain.Refs()
		for _, e := range entries {
			l.cfg.Pool.Pin(e.Space, e.Key, until)
		}
		l.catalog.Used(entries, until)
	}
}

// Delete removes the blocks from the pool and every tier, quarantine included. Those on their way between tiers
// do not arrive, whether they set out before or meanwhile.
func (l *levers) Delete(ctx context.Context, refs []kv.Ref) (moved kv.Moved, err error) {
	for _, ref := range slices.Backward(refs) {
		bytes, there, failure := l.delete(ctx, ref)
		err = errors.Join(err, failure)
		if there && failure == nil {
			moved.Add(bytes)
		}
	}
	return moved, err
}

// delete removes one block, and tells whether a tier had it.
func (l *levers) delete(ctx context.Context, ref kv.Ref) (bytes int64, there bool, err error) {
	l.beginDeletion(placeOf(ref))
	defer l.endDeletion(placeOf(ref))
	l.cfg.OnDevice(func() { l.cfg.Pool.Remove(ref.Space, ref.Key) })
	bytes, there = l.catalog.inTier(ctx, ref, "")
	for _, tier := range l.cfg.Tiers {
		err = errors.Join(err, tier.Delete(ctx, ref))
	}
	return bytes, there, err
}

// beginDeletion marks a block that is on its way, or sets out until endDeletion, to be removed where it arrives.
func (l *levers) beginDeletion(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deletes.begin(at)
	l.writeback.noteDeleted(at)
	l.fetcher.flights.noteDeleted(at)
}

func (l *levers) endDeletion(at place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deletes.end(at)
}

// Trim frees every idle block of the pool that a lower tier has, and what was allocated ahead.
func (l *levers) Trim(ctx context.Context) (moved kv.Moved) {
	moved, _ = l.reclaim(ctx, "trim", func(kv.Moved, pool.Idle) bool { return true })
	l.cfg.OnDevice(func() {
		spare := l.cfg.Pool.FreeSpare()
		moved.Blocks += spare.Blocks
		moved.Bytes += spare.Bytes
	})
	return moved
}

// EvictBytes stores what isn't durable and takes idle blocks of at least so many bytes out of the pool, those first
// that Allocate would evict first. The error tells why it were fewer, if blocks could not be stored.
func (l *levers) EvictBytes(ctx context.Context, bytes int64) (kv.Moved, error) {
	err := l.flushIfTiers(ctx)
	moved, _ := l.reclaim(ctx, "bytes", func(freed kv.Moved, _ pool.Idle) bool { return freed.Bytes < bytes })
	if moved.Bytes >= bytes {
		return moved, nil
	}
	return moved, err
}

// EvictOlder stores what isn't durable and takes blocks out of the pool that nobody used for so long. The error
// tells of blocks that stay because they could not be stored.
func (l *levers) EvictOlder(ctx context.Context, age time.Duration) (kv.Moved, error) {
	before := l.cfg.Clock().Add(-age)
	err := l.flushIfTiers(ctx)
	moved, left := l.reclaim(ctx, "age", func(_ kv.Moved, next pool.Idle) bool { return !next.Used.After(before) })
	if left == 0 {
		return moved, nil
	}
	return moved, errors.Join(fmt.Errorf("evict old blocks: %d of them stay, since no lower tier has them", left), err)
}

func (l *levers) flushIfTiers(ctx context.Context) error {
	if len(l.cfg.Tiers) == 0 {
		return nil
	}
	_, err := l.writeback.Flush(ctx)
	return err
}

// reclaim frees the idle blocks that are wanted, but none that would be lost while there is a tier that could
// have it: those are passed over, and counted.
func (l *levers) reclaim(ctx context.Context, reason string, wanted func(kv.Moved, pool.Idle) bool) (moved kv.Moved, left int) {
	idle := l.cfg.Pool.Idle()
	safe := make([]bool, len(idle))
	for i, next := range idle { // outside the device's thread: tiers are asked
		_, there := l.catalog.inTier(ctx, next.Ref, "")
		safe[i] = there || len(l.cfg.Tiers) == 0
	}
	l.cfg.OnDevice(func() {
		for i, next := range idle {
			switch {
			case !wanted(moved, next):
			case !safe[i]:
				left++
			case l.cfg.Pool.EvictIdle(next.Space, next.Key):
				moved.Add(l.cfg.Pool.BlockBytes())
			}
		}
	})
	l.events.reclaimed(reason, moved.Blocks)
	return moved, left
}
