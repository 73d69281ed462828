package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

const (
	writeDeadline = time.Minute      // of one store
	stalledAfter  = 5 * time.Second  // without a finished store while some wait: then stores are dropped
	catchUpEvery  = time.Second      // what was dropped is looked for
	catchUpBlocks = 16               // at most, each time
	refusedPause  = 10 * time.Second // after a healthy tier refused a store, before dropped ones are tried again
)

// stores are the blocks on their way down. Cache.mu guards it.
type stores struct {
	changed  *sync.Cond // the queue or the number of jobs under way did
	queue    []*job
	underWay map[place]*job
	last     time.Time // a store ended, or began while nothing was under way
	refused  time.Time // a tier refused a store
	closed   bool
}

// job is one block to store.
type job struct {
	kv.Entry
	deleted bool // meanwhile, everywhere
}

func (s *stores) init(mu *sync.Mutex) {
	s.changed, s.underWay = sync.NewCond(mu), map[place]*job{}
}

func (s *stores) close() {
	s.closed = true
	s.changed.Broadcast()
}

// Store has a sealed block written to the tiers below, soon. It never waits: when the tiers take nothing, or half of
// the pool is waiting already, the block is left for later.
func (c *Cache) Store(t *kv.Tenant, e kv.Entry) {
	if len(c.cfg.Tiers) == 0 {
		return
	}
	c.know(t)
	if reason := c.refusal(); reason != "" {
		c.dropped(reason)
		return
	}
	c.enqueue(e)
}

func (c *Cache) enqueue(e kv.Entry) {
	if !c.cfg.Pool.Pend(e.Space, e.Key) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isStoring() {
		c.stores.last = time.Now()
	}
	c.stores.queue = append(c.stores.queue, &job{Entry: e})
	c.stores.changed.Broadcast()
}

// refusal tells why no block is taken now, or nothing.
func (c *Cache) refusal() string {
	healthy := false
	for _, tier := range c.cfg.Tiers {
		healthy = healthy || tier.Status().Healthy
	}
	stats := c.cfg.Pool.Stats()
	switch {
	case !healthy:
		return "degraded"
	case c.stalled():
		return "slow"
	case 2*stats.Pending > stats.Budget:
		return "backlog"
	}
	return ""
}

// stalled tells whether stores wait and none has ended for long.
func (c *Cache) stalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isStoring() && time.Since(c.stores.last) > stalledAfter
}

func (c *Cache) dropped(reason string) {
	if c.cfg.Listener.Dropped != nil {
		c.cfg.Listener.Dropped(reason)
	}
}

func (c *Cache) storeAll() {
	for {
		j := c.nextStore()
		if j == nil {
			return
		}
		isDurable := c.store(j)
		c.cfg.Pool.Settle(j.Space, j.Key, isDurable)
		c.endStore(j)
		c.cfg.Arrived()
	}
}

func (c *Cache) nextStore() *job {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.stores.queue) == 0 && !c.stores.closed {
		c.stores.changed.Wait()
	}
	if c.stores.closed {
		return nil
	}
	j := c.stores.queue[0]
	c.stores.queue = c.stores.queue[1:]
	c.stores.underWay[placeOf(j.Entry)] = j
	return j
}

func (c *Cache) endStore(j *job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.stores.underWay, placeOf(j.Entry))
	c.stores.last = time.Now()
	c.stores.changed.Broadcast()
}

// store writes the block to every tier that takes it and tells whether one did.
func (c *Cache) store(j *job) (isDurable bool) {
	file, err := c.export(j.Entry)
	if err != nil || file == nil {
		if err != nil {
			c.cfg.Log.Warn("cache_save_failed", "key", j.Key.String(), "error", err)
			c.dropped("export")
		}
		return false
	}
	for _, tier := range c.cfg.Tiers {
		isDurable = c.write(tier, j, file) || isDurable
	}
	return isDurable
}

// export makes the block's file, or nil if the block has left the pool.
func (c *Cache) export(e kv.Entry) (file []byte, err error) {
	b := c.cfg.Pool.Find(e.Space, e.Key)
	if b == nil {
		return nil, nil
	}
	defer c.cfg.OnDevice(func() { c.cfg.Pool.Give(b) })
	var parts [][]byte
	c.cfg.OnDevice(func() { parts, err = c.cfg.Rows.Export(b.Memory(), len(e.Tags)) })
	if err != nil {
		return nil, fmt.Errorf("export block %s: %w", e.Key, err)
	}
	header := kv.Header{Entry: e, Bits: c.cfg.Form.Bits, Class: c.cfg.Form.Class, Layers: c.cfg.Form.Layers}
	return c.tenant(e.Salt).Seal(header, parts)
}

func (c *Cache) write(tier kv.Tier, j *job, file []byte) bool {
	ctx, cancel := context.WithTimeout(c.ctx, writeDeadline)
	defer cancel()
	began := time.Now()
	err := tier.Write(ctx, j.Entry, file)
	if err == nil && c.isDeleted(j) {
		err = tier.Remove(ctx, j.Entry)
		c.failed(tier, "remove", err)
		return false
	}
	if err != nil {
		if errors.Is(err, kv.ErrRefused) {
			c.noteRefused()
		}
		c.failed(tier, "store", err)
		c.dropped("refused")
		return false
	}
	if c.cfg.Listener.Stored != nil {
		c.cfg.Listener.Stored(tier.Status().Name, int64(len(file)), time.Since(began))
	}
	c.supersede(ctx, tier, j.Entry)
	return true
}

func (c *Cache) isDeleted(j *job) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return j.deleted
}

func (c *Cache) noteRefused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stores.refused = time.Now()
}

// supersede removes the tails that a stored block begins with and that nobody owns: they say nothing that it does not.
func (c *Cache) supersede(ctx context.Context, tier kv.Tier, e kv.Entry) {
	found, err := tier.Lookup(ctx, kv.Query{Space: e.Space, Parents: []kv.Key{e.Parent}})
	if err != nil || len(found) == 0 {
		c.failed(tier, "look up", err)
		return
	}
	for _, other := range found[0] {
		n := len(other.Tags)
		if n < len(e.Tags) && kv.Common(other.Tags, e.Tags) == n && (c.cfg.Owned == nil || !c.cfg.Owned(ctx, other)) {
			c.failed(tier, "remove", tier.Remove(ctx, other))
		}
	}
}

// catchUp stores again what was dropped, once the tiers take it.
func (c *Cache) catchUp() {
	tick := time.NewTicker(catchUpEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		if c.stalled() {
			c.dropQueue()
		}
		if c.isQuiet() && c.refusal() == "" {
			for _, e := range c.cfg.Pool.Unkept(catchUpBlocks) {
				c.enqueue(e)
			}
		}
	}
}

// isQuiet tells whether nothing waits to be stored and no tier has refused a store of late.
func (c *Cache) isQuiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.stores.queue) == 0 && time.Since(c.stores.refused) > refusedPause
}

// dropQueue gives up what waits to be stored, so that it no longer counts as in use.
func (c *Cache) dropQueue() {
	c.mu.Lock()
	queue := c.stores.queue
	c.stores.queue = nil
	c.stores.changed.Broadcast()
	c.mu.Unlock()
	for _, j := range queue {
		c.cfg.Pool.Settle(j.Space, j.Key, false)
		c.dropped("slow")
	}
}

// Flush stores what is in no lower tier yet, and returns what became durable. The error tells what is left.
func (c *Cache) Flush(ctx context.Context) (moved kv.Moved, err error) {
	before := c.cfg.Pool.Unkept(1 << 30)
	if len(c.cfg.Tiers) == 0 {
		return moved, fmt.Errorf("flush the pool: there is no tier below it, %d blocks stay where they are", len(before))
	}
	pending := c.pendingEntries()
	for _, e := range before {
		c.enqueue(e)
	}
	err = c.awaitStores(ctx, c.isStoring)
	return c.flushed(append(pending, before...), err)
}

func (c *Cache) pendingEntries() (entries []kv.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.stores.queue {
		entries = append(entries, j.Entry)
	}
	for _, j := range c.stores.underWay {
		entries = append(entries, j.Entry)
	}
	return entries
}

// isStoring tells whether anything is on its way down. The caller holds mu.
func (c *Cache) isStoring() bool { return len(c.stores.queue)+len(c.stores.underWay) > 0 }

// isStoringAny tells whether one of the blocks is on its way down. The caller holds mu.
func (c *Cache) isStoringAny(entries []kv.Entry) bool {
	for _, e := range entries {
		at := placeOf(e)
		if c.stores.underWay[at] != nil ||
			slices.ContainsFunc(c.stores.queue, func(j *job) bool { return placeOf(j.Entry) == at }) {
			return true
		}
	}
	return false
}

// awaitStores waits until what it waits for is no longer on its way down.
func (c *Cache) awaitStores(ctx context.Context, isStoring func() bool) error {
	defer context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stores.changed.Broadcast()
	})()
	c.mu.Lock()
	defer c.mu.Unlock()
	for isStoring() && !c.stores.closed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.stores.changed.Wait()
	}
	return nil
}

// flushed counts which of the blocks are durable now.
func (c *Cache) flushed(entries []kv.Entry, err error) (moved kv.Moved, _ error) {
	left := 0
	for _, e := range entries {
		switch bytes, there := c.inTiers(e); {
		case there:
			moved.Blocks++
			moved.Bytes += bytes
		case c.cfg.Pool.Has(e.Space, e.Key):
			left++
		}
	}
	if left > 0 {
		return moved, errors.Join(fmt.Errorf("flush the pool: %d of %d blocks are not durable; look at the tiers' states", left, len(entries)), err)
	}
	return moved, nil
}
