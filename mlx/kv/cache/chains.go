package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// poolName is the pool's name among the tiers.
const poolName = "pool"

// Holdings tells what the pool and each tier has of the chains.
func (c *Cache) Holdings(chains []kv.Chain) []kv.Holding {
	counts := []*count{newCount(poolName)}
	for _, tier := range c.cfg.Tiers {
		counts = append(counts, newCount(tier.Status().Name))
	}
	for _, chain := range chains {
		q := queryOf(chain)
		counts[0].add(chain, c.cfg.Pool.Lookup(q))
		for i, tier := range c.cfg.Tiers {
			ctx, cancel := context.WithTimeout(c.ctx, lookDeadline)
			counts[i+1].add(chain, c.ask(ctx, tier, q))
			cancel()
		}
	}
	holdings := make([]kv.Holding, len(counts))
	for i, n := range counts {
		holdings[i] = n.Holding
	}
	return holdings
}

func queryOf(chain kv.Chain) kv.Query {
	return kv.Query{Space: chain.Space, Parents: append([]kv.Key{kv.Root}, chain.Keys...), Keys: chain.Keys}
}

type count struct {
	kv.Holding
	seen map[kv.Key]bool
}

func newCount(tier string) *count {
	return &count{kv.Holding{Tier: tier}, map[kv.Key]bool{}}
}

func (n *count) add(chain kv.Chain, found [][]kv.Entry) {
	tokens, whole := 0, true
	for i, want := range chain.Entries() {
		at := -1
		if i < len(found) {
			at = slices.IndexFunc(found[i], func(e kv.Entry) bool { return e.Key == want.Key })
		}
		if at < 0 {
			whole = false
			continue
		}
		if whole {
			tokens += len(want.Tags)
		}
		if e := found[i][at]; !n.seen[e.Key] {
			n.seen[e.Key] = true
			n.Blocks++
			n.Bytes += e.Bytes
		}
	}
	n.Tokens = max(n.Tokens, tokens)
}

// inTiers tells whether a tier below the pool has the block, and its size there.
func (c *Cache) inTiers(e kv.Entry) (bytes int64, there bool) {
	for _, tier := range c.cfg.Tiers {
		ctx, cancel := context.WithTimeout(c.ctx, lookDeadline)
		found := c.ask(ctx, tier, kv.Query{Space: e.Space, Parents: []kv.Key{e.Parent}})
		cancel()
		if len(found) == 0 {
			continue
		}
		for _, other := range found[0] {
			if other.Key == e.Key {
				return other.Bytes, true
			}
		}
	}
	return 0, false
}

// Evict takes the chains' blocks out of the pool, the last first, as far as nothing else uses or continues them. What
// no lower tier has is stored before; what can't be stored stays, and the error says so.
func (c *Cache) Evict(ctx context.Context, chains []kv.Chain) (moved kv.Moved, err error) {
	left := 0
	for _, chain := range chains {
		entries := chain.Entries()
		if err := c.secure(ctx, entries); err != nil {
			return moved, fmt.Errorf("evict a conversation: %w", err)
		}
		for _, e := range slices.Backward(entries) {
			if _, there := c.inTiers(e); len(c.cfg.Tiers) > 0 && !there && c.cfg.Pool.Has(e.Space, e.Key) {
				left++
				continue
			}
			if c.dropLeaf(e) {
				moved.Blocks++
				moved.Bytes += c.cfg.Pool.BlockBytes()
			}
		}
	}
	c.reclaimed("evict", moved.Blocks)
	if left > 0 {
		return moved, fmt.Errorf("evict a conversation: %d of its blocks stay in the pool, since no lower tier took them; look at the tiers' states", left)
	}
	return moved, nil
}

func (c *Cache) dropLeaf(e kv.Entry) (dropped bool) {
	c.cfg.OnDevice(func() { dropped = c.cfg.Pool.DropLeaf(e.Space, e.Key) })
	return dropped
}

// secure stores what of the entries only the pool has, and waits for it.
func (c *Cache) secure(ctx context.Context, entries []kv.Entry) error {
	if len(c.cfg.Tiers) == 0 {
		return nil
	}
	for _, e := range entries {
		if b := c.cfg.Pool.Find(e.Space, e.Key); b != nil {
			e, known := c.cfg.Pool.Entry(b)
			c.cfg.OnDevice(func() { c.cfg.Pool.Give(b) })
			if !known {
				continue
			}
			if _, there := c.inTiers(e); !there {
				c.storeAgain(e)
			}
		}
	}
	return c.awaitStores(ctx, func() bool { return c.isStoringAny(entries) })
}

// storeAgain has a block stored that no tier has any more, unless that is under way.
func (c *Cache) storeAgain(e kv.Entry) {
	c.mu.Lock()
	underWay := c.isStoringAny([]kv.Entry{e})
	c.mu.Unlock()
	if !underWay {
		c.cfg.Pool.Settle(e.Space, e.Key, false)
		c.enqueue(e)
	}
}

func (c *Cache) reclaimed(reason string, blocks int) {
	if c.cfg.Listener.Reclaims != nil && blocks > 0 {
		c.cfg.Listener.Reclaims(reason, blocks)
	}
}

// Prefetch brings the chains' blocks into the pool as far as it has room for them, and waits until they are there.
func (c *Cache) Prefetch(ctx context.Context, t *kv.Tenant, chains []kv.Chain) (moved kv.Moved, err error) {
	var flights []*Flight
	for _, chain := range chains {
		found := c.Lookup(ctx, queryOf(chain))
		for i, e := range chain.Entries() {
			at := slices.IndexFunc(found[i], func(f Found) bool { return f.Key == e.Key })
			if at >= 0 && !found[i][at].InPool {
				flights = append(flights, c.Fetch(t, found[i][at], nil))
			}
		}
	}
	missed := 0
	for _, f := range flights {
		switch err := f.Wait(ctx); {
		case err == nil:
			moved.Blocks++
			moved.Bytes += f.Bytes
		case ctx.Err() != nil:
			return moved, fmt.Errorf("prefetch a conversation: %w", err)
		default:
			missed++
		}
	}
	if missed > 0 {
		return moved, fmt.Errorf("prefetch a conversation: %d of %d blocks could not be fetched; the pool has no room for them or they are damaged", missed, len(flights))
	}
	return moved, nil
}

// Retain gives the chains' blocks up after others until the given time, in every tier. Zero ends that.
func (c *Cache) Retain(chains []kv.Chain, until time.Time) {
	for _, chain := range chains {
		entries := chain.Entries()
		for _, e := range entries {
			c.cfg.Pool.Retain(e.Space, e.Key, until)
		}
		c.Used(entries, until)
	}
}

// Delete removes the blocks from the pool and every tier, quarantine included. Those on their way between tiers do not
// arrive.
func (c *Cache) Delete(ctx context.Context, entries []kv.Entry) (moved kv.Moved, err error) {
	for _, e := range slices.Backward(entries) {
		c.bury(e)
		c.cfg.OnDevice(func() { c.cfg.Pool.Forget(e.Space, e.Key) })
		bytes, there := c.inTiers(e)
		var failures []error
		for _, tier := range c.cfg.Tiers {
			failures = append(failures, tier.Remove(ctx, e))
		}
		if failure := errors.Join(failures...); failure != nil {
			err = errors.Join(err, failure)
			continue
		}
		if there {
			moved.Blocks++
			moved.Bytes += bytes
		}
	}
	return moved, err
}

// bury marks a block that is on its way so that it is removed where it arrives.
func (c *Cache) bury(e kv.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := placeOf(e)
	if j := c.stores.underWay[at]; j != nil {
		j.deleted = true
	}
	if f := c.fetches.flying[at]; f != nil {
		f.deleted = true
	}
}

// Trim frees every idle block of the pool that a lower tier has, and what was allocated ahead.
func (c *Cache) Trim() (moved kv.Moved) {
	return c.reclaim("trim", func(kv.Moved, kv.Idle) bool { return true })
}

// EvictBytes stores what isn't durable and takes idle blocks of at least so many bytes out of the pool, those first
// that Take would give up first.
func (c *Cache) EvictBytes(ctx context.Context, bytes int64) (kv.Moved, error) {
	err := c.flushIfTiers(ctx)
	return c.reclaim("bytes", func(freed kv.Moved, _ kv.Idle) bool { return freed.Bytes < bytes }), err
}

// EvictOlder stores what isn't durable and takes blocks out of the pool that nobody used for so long.
func (c *Cache) EvictOlder(ctx context.Context, age time.Duration) (kv.Moved, error) {
	err := c.flushIfTiers(ctx)
	before := time.Now().Add(-age)
	return c.reclaim("age", func(_ kv.Moved, next kv.Idle) bool { return !next.Used.After(before) }), err
}

func (c *Cache) flushIfTiers(ctx context.Context) error {
	if len(c.cfg.Tiers) == 0 {
		return nil
	}
	_, err := c.Flush(ctx)
	return err
}

// reclaim frees idle blocks, but none that would be lost while there is a tier that could have it.
func (c *Cache) reclaim(reason string, more func(kv.Moved, kv.Idle) bool) (moved kv.Moved) {
	c.cfg.OnDevice(func() {
		moved = c.cfg.Pool.ReclaimWhile(func(freed kv.Moved, next kv.Idle) bool {
			return (next.Durable || len(c.cfg.Tiers) == 0) && more(freed, next)
		})
	})
	c.reclaimed(reason, moved.Blocks)
	return moved
}
