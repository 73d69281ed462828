// Package cache moves blocks between the pool and the tiers below it: it stores sealed blocks behind the engine's
// back, fetches blocks ahead of their use, and answers in one look-up what is where.
//
// Invariants:
//   - It never makes anybody wait for a tier who did not ask to: Store and Fetch return at once, and what a tier
//     doesn't take is dropped. A block that is waiting to be stored can be taken from the pool at any time.
//   - What comes from a tier enters the pool only after all of it was verified (kv.Tenant.Open).
//   - A block is on its way up at most once at a time, and so on its way down.
//   - The files in memory are at most one for each worker.
//
// Lock order: Cache.mu is never held while a tier, the pool, the device or a listener is called.
package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Rows moves KV between the device's own layout and rows at rest.
type Rows interface {
	// Export returns the KV of a block's first tokens, one part for each layer.
	Export(from kv.Memory, tokens int) ([][]byte, error)
	// Import is its inverse, into a fresh block. It refuses parts of the wrong length.
	Import(to kv.Memory, tokens int, parts [][]byte) error
}

// Form is how this process keeps blocks at rest.
type Form struct {
	Bits   int
	Class  string
	Layers []kv.Layer
}

// Listener is told what happens. Any field may be nil. Calls come from any goroutine and must return soon.
type Listener struct {
	Looked   func(tier string, hits, misses int)                // expected full blocks, of one look-up
	Fetched  func(tier string, bytes int64, took time.Duration) // a block was read, verified and put into the pool
	Stored   func(tier string, bytes int64, took time.Duration) // a block became durable
	Dropped  func(reason string)                                // a block was not stored
	Damaged  func(tier string, cause error)                     // a block failed its verification
	Failed   func(tier, doing string, err error)                // a tier could not be asked
	Reclaims func(reason string, blocks int)                    // blocks left the pool on request
}

// Config describes a cache.
type Config struct {
	Pool     *kv.Pool
	Tiers    []kv.Tier // below the pool, the fastest first; none: nothing survives
	Rows     Rows
	Form     Form
	OnDevice func(f func()) // runs f where the device allows it, and waits; nil: right here
	Arrived  func()         // called when a fetch or a store is over
	// Owned tells whether somebody still needs a tail that a stored block begins with: then it is not removed. It may be
	// nil, when nobody owns anything.
	Owned    func(ctx context.Context, tail kv.Entry) bool
	Log      *slog.Logger
	Listener Listener

	Writers int // that store at once: 2
	Readers int // that fetch at once: 4
}

// Cache is the stack of tiers. Its methods may be called from anywhere.
type Cache struct {
	cfg   Config
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	works sync.WaitGroup
	rates []*rate // of reading, one for each tier

	mu      sync.Mutex
	secrets map[kv.SaltID]*kv.Tenant // of all tenants seen, to store again what was dropped
	stores  stores
	fetches fetches
}

// place names a block in all tiers.
type place struct {
	kv.Space
	key kv.Key
}

func placeOf(e kv.Entry) place { return place{e.Space, e.Key} }

// New returns a running cache. Close ends it.
func New(cfg Config) *Cache {
	if cfg.OnDevice == nil {
		cfg.OnDevice = func(f func()) { f() }
	}
	if cfg.Arrived == nil {
		cfg.Arrived = func() {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Writers < 1 {
		cfg.Writers = 2
	}
	if cfg.Readers < 1 {
		cfg.Readers = 4
	}
	c := &Cache{cfg: cfg, secrets: map[kv.SaltID]*kv.Tenant{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.stores.init(&c.mu)
	c.fetches.init(&c.mu)
	for range cfg.Tiers {
		c.rates = append(c.rates, &rate{})
	}
	if len(cfg.Tiers) > 0 {
		for range cfg.Writers {
			c.works.Go(c.storeAll)
		}
		for range cfg.Readers {
			c.works.Go(c.fetchAll)
		}
		c.works.Go(c.catchUp)
	}
	return c
}

// Close ends all work. What was not stored by then is not durable; Flush before.
func (c *Cache) Close() {
	c.stop()
	c.mu.Lock()
	c.stores.close()
	c.fetches.close()
	c.mu.Unlock()
	c.works.Wait()
}

// know remembers a tenant's secrets.
func (c *Cache) know(t *kv.Tenant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[t.ID] = t
}

func (c *Cache) tenant(id kv.SaltID) *kv.Tenant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secrets[id]
}

// Tiers are the states of the tiers below the pool, the fastest first.
func (c *Cache) Tiers() []kv.TierStatus {
	all := make([]kv.TierStatus, len(c.cfg.Tiers))
	for i, tier := range c.cfg.Tiers {
		all[i] = tier.Status()
	}
	return all
}

// failed tells of a tier that could not be asked. A block that isn't there and a store that is refused are no such
// failures, nor is the end of the caller's patience.
func (c *Cache) failed(tier kv.Tier, doing string, err error) {
	if err == nil || errors.Is(err, kv.ErrNotFound) || errors.Is(err, kv.ErrRefused) || errors.Is(err, context.Canceled) {
		return
	}
	name := tier.Status().Name
	c.cfg.Log.Debug("tier_failed", "tier", name, "doing", doing, "error", err)
	if c.cfg.Listener.Failed != nil {
		c.cfg.Listener.Failed(name, doing, err)
	}
}
