package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

const (
	readDeadline = 30 * time.Second // of one block from one tier
	stuckAfter   = 5 * time.Second  // a tier that has been reading one block for so long is not asked for more
	mostFetches  = 4096             // that wait
)

// Errors of a flight.
var (
	errClosed  = errors.New("the cache is closed")
	errDeleted = errors.New("the block was deleted meanwhile")
	errCrowded = errors.New("too many blocks are being fetched")
)

// Flight is a block on its way into the pool.
type Flight struct {
	Found
	tenant  *kv.Tenant
	wanted  func() bool // nil: whatever happens
	done    chan struct{}
	err     error // once done
	urgent  atomic.Bool
	deleted bool // meanwhile, everywhere; Cache.mu guards it
}

// Hurry says that somebody waits for the block who has room for it.
func (f *Flight) Hurry() { f.urgent.Store(true) }

// Over tells whether the flight has ended, and how: without an error the block was in the pool then.
func (f *Flight) Over() (bool, error) {
	select {
	case <-f.done:
		return true, f.err
	default:
		return false, nil
	}
}

// Wait waits for the end of the flight or of ctx.
func (f *Flight) Wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fetches are the blocks on their way up. Cache.mu guards it.
type fetches struct {
	changed *sync.Cond
	queue   []*Flight
	flying  map[place]*Flight      // queued or under way
	reading map[*Flight]inProgress // by the tier asked
	closed  bool
}

type inProgress struct {
	tier  int
	since time.Time
}

func (s *fetches) init(mu *sync.Mutex) {
	s.changed, s.flying, s.reading = sync.NewCond(mu), map[place]*Flight{}, map[*Flight]inProgress{}
}

func (s *fetches) close() {
	s.closed = true
	for _, f := range s.queue {
		f.err = errClosed
		close(f.done)
	}
	s.queue = nil
	s.changed.Broadcast()
}

// Fetch brings a block into the pool and returns at once. Two who want the same block share one flight. A flight that
// has not begun when wanted says false is given up; nil always wants it.
func (c *Cache) Fetch(t *kv.Tenant, found Found, wanted func() bool) *Flight {
	c.know(t)
	if len(found.Tiers) == 0 { // it was in the pool only; since then it may have been stored
		for i := range c.cfg.Tiers {
			found.Tiers = append(found.Tiers, i)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := placeOf(found.Entry)
	if f := c.fetches.flying[at]; f != nil {
		if f.wanted != nil {
			mine, theirs := wanted, f.wanted
			f.wanted = func() bool { return theirs() || mine == nil || mine() }
		}
		return f
	}
	f := &Flight{Found: found, tenant: t, wanted: wanted, done: make(chan struct{})}
	if c.fetches.closed || len(c.fetches.queue) >= mostFetches {
		f.err = errCrowded
		close(f.done)
		return f
	}
	c.fetches.flying[at] = f
	c.fetches.queue = append(c.fetches.queue, f)
	c.fetches.changed.Signal()
	return f
}

func (c *Cache) fetchAll() {
	buf := c.touched()
	for {
		f := c.nextFetch()
		if f == nil {
			return
		}
		buf = c.fetch(f, buf)
		c.endFetch(f)
		c.cfg.Arrived()
	}
}

// touched is memory for a full block's file whose pages are there: the first fetches after a start would wait for them.
func (c *Cache) touched() []byte {
	size := 1 << 16 // for the header
	for _, l := range c.cfg.Form.Layers {
		elements := 2 * kv.BlockTokens * l.KVHeads * l.HeadDim
		size += elements * c.cfg.Form.Bits / 8
		if c.cfg.Form.Bits < 16 {
			size += elements / 8 // scales and minimums
		}
	}
	buf := make([]byte, size)
	for at := 0; at < size; at += 4096 {
		buf[at] = 1
	}
	return buf
}

func (c *Cache) nextFetch() *Flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.fetches.queue) == 0 && !c.fetches.closed {
		c.fetches.changed.Wait()
	}
	if c.fetches.closed {
		return nil
	}
	f := c.fetches.queue[0]
	c.fetches.queue = c.fetches.queue[1:]
	return f
}

func (c *Cache) endFetch(f *Flight) {
	c.mu.Lock()
	delete(c.fetches.flying, placeOf(f.Entry))
	c.mu.Unlock()
	close(f.done)
}

// fetch tries the tiers that have the block, the fastest first. It returns the buffer for the next fetch.
func (c *Cache) fetch(f *Flight, buf []byte) []byte {
	if c.cfg.Pool.Has(f.Space, f.Key) {
		return buf
	}
	c.mu.Lock()
	wanted := f.wanted
	c.mu.Unlock()
	if wanted != nil && !wanted() {
		f.err = context.Canceled
		return buf
	}
	f.err = kv.ErrNotFound
	for _, i := range f.Tiers {
		began := time.Now()
		buf, f.err = c.fetchFrom(f, i, buf)
		if f.err == nil {
			c.arrived(f, i, time.Since(began))
			return buf
		}
		c.failed(c.cfg.Tiers[i], "fetch", f.err)
	}
	return buf
}

func (c *Cache) arrived(f *Flight, i int, took time.Duration) {
	c.rates[i].measure(f.Bytes, took)
	if c.cfg.Listener.Fetched != nil {
		c.cfg.Listener.Fetched(c.cfg.Tiers[i].Status().Name, f.Bytes, took)
	}
}

// fetchFrom reads the block from one tier, verifies it and puts it into the pool.
func (c *Cache) fetchFrom(f *Flight, i int, buf []byte) ([]byte, error) {
	tier := c.cfg.Tiers[i]
	data, err := c.read(f, i, buf)
	if err != nil {
		return buf, err
	}
	f.Bytes = int64(len(data))
	header, payload, err := f.tenant.Open(f.Entry, data)
	if errors.Is(err, kv.ErrDamaged) {
		c.damaged(tier, f.Entry, err)
	}
	if err != nil {
		return data, err
	}
	return data, c.enter(f, header, payload)
}

func (c *Cache) read(f *Flight, i int, buf []byte) ([]byte, error) {
	c.mu.Lock()
	c.fetches.reading[f] = inProgress{i, time.Now()}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.fetches.reading, f)
	}()
	ctx, cancel := context.WithTimeout(c.ctx, readDeadline)
	defer cancel()
	return c.cfg.Tiers[i].Read(ctx, f.Entry, buf)
}

// damaged puts a block away that is not what it should be.
func (c *Cache) damaged(tier kv.Tier, e kv.Entry, cause error) {
	name := tier.Status().Name
	c.cfg.Log.Warn("block_damaged", "tier", name, "key", e.Key.String(), "error", cause, "note", "it is quarantined and computed anew")
	if c.cfg.Listener.Damaged != nil {
		c.cfg.Listener.Damaged(name, cause)
	}
	ctx, cancel := context.WithTimeout(c.ctx, readDeadline)
	defer cancel()
	c.failed(tier, "quarantine", tier.Quarantine(ctx, e, cause))
}

// enter puts a verified block into the pool.
func (c *Cache) enter(f *Flight, h *kv.Header, payload []byte) (err error) {
	if err := c.fits(h); err != nil {
		return err
	}
	parts := make([][]byte, len(h.Layers))
	for i, layer := range h.Layers {
		parts[i] = payload[layer.Offset : layer.Offset+layer.Length]
	}
	c.cfg.OnDevice(func() { err = c.load(f, h, parts) })
	return err
}

func (c *Cache) load(f *Flight, h *kv.Header, parts [][]byte) error {
	take := c.cfg.Pool.TakeSpare
	if f.urgent.Load() {
		take = c.cfg.Pool.TakeSafe
	}
	b, err := take()
	if err != nil {
		return err
	}
	if err := c.cfg.Rows.Import(b.Memory(), len(h.Tags), parts); err != nil {
		c.cfg.Pool.Give(b)
		return fmt.Errorf("import block %s: %w", h.Key, err)
	}
	same := c.cfg.Pool.Seal(b, h.Entry)
	if same == b {
		c.cfg.Pool.Arrived(b)
	}
	c.cfg.Pool.Give(same)
	c.mu.Lock()
	deleted := f.deleted
	c.mu.Unlock()
	if deleted { // before it could be found; a later deletion finds it
		c.cfg.Pool.Forget(f.Space, f.Key)
		return errDeleted
	}
	return nil
}

// fits tells whether a verified block has the form that this process imports. Blocks of another numerics class do.
func (c *Cache) fits(h *kv.Header) error {
	form := c.cfg.Form
	if h.Bits != form.Bits || len(h.Layers) != len(form.Layers) {
		return fmt.Errorf("%w: it has %d layers in %d bits, not %d in %d", kv.ErrVersion, len(h.Layers), h.Bits, len(form.Layers), form.Bits)
	}
	for i, l := range h.Layers {
		if want := form.Layers[i]; l.Kind != want.Kind || l.KVHeads != want.KVHeads || l.HeadDim != want.HeadDim {
			return fmt.Errorf("%w: layer %d has another shape", kv.ErrVersion, i)
		}
	}
	return nil
}

// Estimate is how long so many bytes of a block that was found would take to fetch, by what was measured of late, and
// false if nothing is known. A tier that is stuck takes for ever.
func (c *Cache) Estimate(f Found, bytes int64) (time.Duration, bool) {
	if f.InPool {
		return 0, true
	}
	if len(f.Tiers) == 0 {
		return 0, false
	}
	for _, i := range f.Tiers {
		if c.isStuck(i) {
			continue
		}
		took, known := c.rates[i].estimate(bytes)
		return took / time.Duration(c.cfg.Readers), known
	}
	return stuckAfter, true
}

func (c *Cache) isStuck(tier int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.fetches.reading {
		if p.tier == tier && time.Since(p.since) > stuckAfter {
			return true
		}
	}
	return false
}
