// Package cache moves blocks between the pool and the tiers below it: it writes published blocks back behind the
// engine's back, fetches blocks ahead of their use, and answers in one look-up what is where.
//
// Invariants:
//   - It never makes anybody wait for a tier who did not ask to: Store and Fetch return at once, and what a tier
//     doesn't take is left for later. A block that is waiting to be written can be evicted from the pool at any time.
//   - Each tier has a writer of its own. What one tier has says nothing of another: a block is durable in a tier once
//     that tier said so, and is written to every tier that does not have it, in that tier's own time. So a block that
//     came from a lower tier reaches the ones above, and a tier that failed is tried again though another has it.
//   - A block is unsaved, and counts as in use, only until the first tier has it.
//   - What leaves the pool before a tier has it is owed to that tier, and comes from another one that has it.
//   - A block is read from a tier only once the pool has room for it.
//   - What comes from a tier enters the pool or another tier only after all of it was verified (blockfile.Open).
//   - A block is on its way up at most once at a time, and on its way to each tier at most once.
//   - A block that is deleted is nowhere afterwards, whatever was on its way or set out meanwhile.
//   - The files in memory are at most one for each worker, and for each tier a few that were fetched from a lower one.
//
// The parts of a cache have a file each: the catalog (lookup.go, learn.go, browse.go) tells what is where; the
// writeback has a writer for each tier, with its queue and what it is owed; the file maker makes what they
// write; the fetcher brings blocks up in flights; the levers are the operators'.
//
// Lock order: the parts share one lock, so that what spans them is seen at one moment. It is never held while a
// tier, the pool, the device or a listener is called, and neither are those of the tenants, the tasks and the
// rates.
package cache

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// Config describes a cache.
type Config struct {
	Pool     *pool.Pool
	Tiers    []kv.Tier // below the pool, the fastest first; none: nothing survives
	Rows     Rows
	Form     Form
	OnDevice func(f func()) // runs f where the device allows it, and waits; nil: right here
	Arrived  func()         // called when a fetch or a store is over
	// Owned tells whether somebody still needs a tail that a stored block begins with: then it is not removed.
	// It may be nil, when nobody owns anything.
	Owned func(ctx context.Context, tail kv.Ref) bool
	// Storable tells whether blocks under a salt may be stored: not if nobody could find them after a restart.
	// Nil: all.
	Storable func(kv.SaltID) bool
	Log      *slog.Logger
	Listener Listener
	Clock    func() time.Time // time.Now

	// Policies say how blocks go to tiers, by the tiers' names. A tier that is not named gets every block.
	Policies map[string]Policy

	// MostUnsaved is the share of the pool that may wait to be stored before further stores are dropped, to be tried
	// again: a half.
	MostUnsaved float64

	Writers int // that write to one tier at once: 2
	Readers int // that fetch at once: 4
}

// Policy says how blocks go to one tier.
type Policy struct {
	Writers    int  // that write to it at once; 0: Config.Writers
	OnlyWanted bool // only blocks that an agent owns or that were used again
}

// complete fills in what was left out.
func (c *Config) complete() {
	if c.OnDevice == nil {
		c.OnDevice = func(f func()) { f() }
	}
	if c.Storable == nil {
		c.Storable = func(kv.SaltID) bool { return true }
	}
	if c.Arrived == nil {
		c.Arrived = func() {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Writers < 1 {
		c.Writers = 2
	}
	if c.MostUnsaved <= 0 {
		c.MostUnsaved = 0.5
	}
	if c.Readers < 1 {
		c.Readers = 4
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
}

func (c *Config) since(t time.Time) time.Duration { return c.Clock().Sub(t) }

// Cache is the stack of tiers. Its methods, which are those of its parts, may be called from anywhere.
type Cache struct {
	*catalog
	*writeback
	*fetcher
	*levers

	mu    *sync.Mutex // the lock that the parts share
	tasks *tasks
	stop  context.CancelFunc // ends the tasks' work
}

// place names a block in all tiers.
type place struct {
	kv.Space
	key kv.Key
}

func placeOf(e kv.Ref) place { return place{e.Space, e.Key} }

// New returns a running cache. Close ends it.
func New(cfg Config) *Cache {
	cfg.complete()
	c := &Cache{mu: &sync.Mutex{}, tasks: &tasks{}}
	events, tenants, deletes := &events{&cfg}, newTenants(), newDeletions()
	c.catalog = &catalog{cfg: &cfg, events: events, tasks: c.tasks}
	flights := newFlights(&cfg, c.mu, deletes)
	c.writeback = newWriteback(&cfg, c.mu, flights, events, tenants, c.catalog)
	c.fetcher = newFetcher(&cfg, flights, events, tenants, c.writeback)
	c.levers = &levers{
		cfg: &cfg, mu: c.mu, deletes: deletes, events: events,
		catalog: c.catalog, writeback: c.writeback, fetcher: c.fetcher,
	}
	cfg.Pool.OnLeave(c.left)
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.writeback.start(ctx, c.tasks)
	c.fetcher.start(ctx, c.tasks)
	return c
}

// Close ends all work. What was not stored by then is not durable; Flush before.
func (c *Cache) Close() {
	c.stop()
	c.tasks.close()
	c.mu.Lock()
	c.writeback.close()
	c.fetcher.close()
	c.mu.Unlock()
	c.tasks.wait()
}
