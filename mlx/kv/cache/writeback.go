package cache

import (
	"cmp"
	"context"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// mostPromoted is how many fetched files may wait in memory for the tier above.
const mostPromoted = 8

// writeback has published blocks written to the tiers, by one writer for each.
type writeback struct {
	cfg     *Config
	mu      *sync.Mutex
	changed *sync.Cond // with mu: the queue of any writer changed, or no flight is under way any more
	events  *events
	tenants *tenants
	catalog *catalog
	writers []*writer // one for each tier, in the stack's order
}

func newWriteback(
	cfg *Config, mu *sync.Mutex, flights *flights, events *events, tenants *tenants, catalog *catalog,
) *writeback {
	b := &writeback{cfg: cfg, mu: mu, changed: flights.landed, events: events, tenants: tenants, catalog: catalog}
	files := &fileMaker{cfg, tenants}
	for i, tier := range cfg.Tiers {
		name := tier.Name()
		b.writers = append(b.writers, &writer{
			queue: &queue{cfg: cfg, mu: mu, changed: b.changed, deletes: flights.deletes, flights: flights, jobs: map[place]*job{}},
			cfg:   cfg, events: events, files: files,
			tier: tier, name: name, index: i, policy: cfg.Policies[name], owed: newOwed(),
		})
	}
	return b
}

// start begins the writers' work, which ends with ctx and close.
func (b *writeback) start(ctx context.Context, tasks *tasks) {
	for _, w := range b.writers {
		for range cmp.Or(w.policy.Writers, b.cfg.Writers) {
			tasks.run(func() { w.run(ctx) })
		}
		tasks.run(func() { w.catchUp(ctx) })
	}
}

// close ends the waiting for jobs. The caller holds mu.
func (b *writeback) close() {
	for _, w := range b.writers {
		w.close()
	}
}

// Store has a published block written to every tier whose policy wants it, soon. It never waits: what a tier
// does not take now is left for later.
func (b *writeback) Store(t *kv.Tenant, e kv.Entry, isOwned bool) {
	if len(b.writers) == 0 {
		return
	}
	b.tenants.add(t)
	if !b.cfg.Storable(t.ID) {
		return
	}
	if isOwned {
		b.cfg.Pool.MarkOwned(e.Space, e.Key)
	}
	for _, w := range b.writers {
		if w.policy.OnlyWanted && !isOwned {
			continue
		}
		if reason := w.refusal(); reason != "" {
			b.events.dropped(reason)
			continue
		}
		w.enqueue(e)
	}
}

// storeAgain has a block written to the tier of that name (empty: each) that does not have it, whatever was believed.
func (b *writeback) storeAgain(e kv.Entry, to string) {
	for _, w := range b.to(to) {
		w.lost(e.Ref)
		w.enqueue(e)
	}
}

// to are the writers to the tier of that name (empty: to all).
func (b *writeback) to(name string) []*writer {
	if name == "" {
		return b.writers
	}
	return b.named(name)
}

// named are the writers to the tiers of that name.
func (b *writeback) named(name string) (writers []*writer) {
	for _, w := range b.writers {
		if w.name == name {
			writers = append(writers, w)
		}
	}
	return writers
}

// promote has a file that was just fetched and verified written to the nearest tier above that does not have
// it, without another read, and tells whether it is still needed then. What is not promoted here because too
// many wait is written later like every block that a tier lacks.
func (b *writeback) promote(e kv.Entry, from int, file []byte) (isNeeded bool) {
	clean, inPool := b.cfg.Pool.Clean(e.Space, e.Key)
	for _, w := range b.writers[:from] {
		if !inPool || clean.Has(w.index) || w.refusal() != "" || w.promoted() >= mostPromoted {
			continue
		}
		if w.enqueueFile(e, file) {
			return true
		}
	}
	return false
}

// Vanished notes that the tier of that name lost a block that it had: if the pool has it, it is stored again.
func (b *writeback) Vanished(tier string, ref kv.Ref) {
	for _, w := range b.named(tier) {
		w.lost(ref)
	}
}

// left notes which tiers lack a block that has left the pool. What no tier has is lost.
func (b *writeback) left(e pool.Evicted) {
	if e.Clean == 0 {
		return
	}
	for _, w := range b.writers {
		if !e.Clean.Has(w.index) && (e.IsWanted || !w.policy.OnlyWanted) {
			w.owe(e.Ref, e.Payer)
		}
	}
}

// Owed is how many blocks that left the pool the tier of that name is still to get from another one.
func (b *writeback) Owed(tier string) (blocks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.named(tier) {
		blocks += w.owed.order.Len()
	}
	return blocks
}

// noteDeleted marks a block on its way down so that it is removed where it arrives. The caller holds mu.
func (b *writeback) noteDeleted(at place) {
	for _, w := range b.writers {
		w.queue.noteDeleted(at)
		w.owed.remove(at)
	}
}
