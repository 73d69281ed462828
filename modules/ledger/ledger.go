// Package ledger keeps the accounts of a node since it started: what each agent of each tenant, with each model, had computed,
// read, kept and moved. Everything that is counted is charged to one row, so that the rows' sums are the node's own counters.
//
// Who pays:
//   - Tokens and requests: who asked.
//   - A block in the pool: who had it computed or brought up first, whoever shares it. In a lower tier: who paid for it in
//     the pool when it was stored. Blocks that lay on the disk already when the node started belong to their tenant's row
//     without an agent.
//   - Reading a block, and its requests to the bucket: who wanted it first.
//   - What nobody in particular wants (an operator's levers, collections, signs of life of the bucket): a row without a name.
package ledger

import (
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/lru"
)

// mostRows is how many agents have a row of their own, of those seen last, and how many tenants and models.
const mostRows = 10_000

// Ledger keeps the accounts. It may be used from anywhere.
type Ledger struct {
	clock func() time.Time
	since time.Time
	most  int

	mu      sync.Mutex
	total   amounts
	agents  *lru.Map[name, *row]
	tenants *lru.Map[name, *row] // rows of tenants' others, and of what no agent asked for
	spaces  map[kv.Space]*row    // of blocks of which nobody is known but the tenant
	others  *row                 // of tenants that have no row any more
	nobody  *row
	named   names
}

// names are those of tenants and models as far as requests told them.
type names struct {
	tenants *lru.Map[kv.SaltID, string]
	models  *lru.Map[kv.Fingerprint, string]
}

// New returns a ledger that begins now.
func New(clock func() time.Time) *Ledger { return newLedger(clock, mostRows) }

func newLedger(clock func() time.Time, most int) *Ledger {
	return &Ledger{
		clock: clock, since: clock(), most: most,
		agents: lru.New[name, *row](most), tenants: lru.New[name, *row](most), spaces: map[kv.Space]*row{},
		others: newRow(name{kind: KindOthers}), nobody: newRow(name{kind: KindNone}),
		named: names{lru.New[kv.SaltID, string](most), lru.New[kv.Fingerprint, string](most)},
	}
}

// now is the time since the ledger began. The caller holds mu, so that times never go back.
func (l *Ledger) now() time.Duration { return l.clock().Sub(l.since) }

// Payer returns who pays for a request of an agent (empty: of none), whose blocks are in a space (the zero value: in none).
func (l *Ledger) Payer(tenant, agent, model string, s kv.Space) kv.Payer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s != (kv.Space{}) {
		l.named.tenants.Put(s.Salt, tenant)
		l.named.models.Put(s.Fingerprint, model)
	}
	if agent == "" {
		return l.tenantRow(name{kind: KindNone, tenant: tenant, model: model})
	}
	n := name{KindAgent, tenant, agent, model}
	if r, ok := l.agents.Get(n); ok {
		return r
	}
	if _, oldest, ok := l.agents.Oldest(); ok && l.agents.Len() >= l.most {
		l.agents.Remove(oldest.name)
		oldest.merge(l.tenantRow(name{kind: KindOthers, tenant: oldest.tenant, model: oldest.model}), l.now())
	}
	r := newRow(n)
	l.agents.Put(n, r)
	return r
}

// tenantRow is a row of a tenant that is no agent's. The caller holds mu.
func (l *Ledger) tenantRow(n name) *row {
	if r, ok := l.tenants.Get(n); ok {
		return r
	}
	if _, oldest, ok := l.tenants.Oldest(); ok && l.tenants.Len() >= l.most {
		l.tenants.Remove(oldest.name)
		oldest.merge(l.others, l.now())
	}
	r := newRow(n)
	l.tenants.Put(n, r)
	return r
}

// spaceRow is the row of blocks of a space that nobody is known to have stored. The caller holds mu.
func (l *Ledger) spaceRow(s kv.Space) *row {
	if s == (kv.Space{}) {
		return l.nobody
	}
	if r := l.spaces[s]; r != nil {
		return r
	}
	if len(l.spaces) >= l.most {
		for other, r := range l.spaces {
			if !r.amounts.holds() { // a block that is there must find its row again
				r.merge(l.nobody, l.now())
				delete(l.spaces, other)
			}
		}
	}
	l.spaces[s] = newRow(name{kind: KindNone})
	return l.spaces[s]
}

// charge adds to the row of a payer, or of a space if it is nil, and to the sum of all.
func (l *Ledger) charge(p kv.Payer, s kv.Space, add func(a *amounts, now time.Duration)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := p.(*row)
	if !ok {
		r = l.spaceRow(s)
	}
	now := l.now()
	add(r.now().amounts, now)
	add(&l.total, now)
}

// Finished is a request that ended, well or not.
type Finished struct {
	Generated int            // tokens
	Read      map[string]int // tokens of its prompt, by the tier they were read from
	Avoided   time.Duration  // that computing those would have taken
}

// Finish charges a request.
func (l *Ledger) Finish(p kv.Payer, f Finished) {
	l.charge(p, kv.Space{}, func(a *amounts, _ time.Duration) {
		a.requests++
		a.generated += int64(f.Generated)
		a.avoided += f.Avoided
		for tier, tokens := range f.Read {
			a.read[tierOf(tier)] += int64(tokens)
		}
	})
}

// Compute charges tokens of a prompt that were computed.
func (l *Ledger) Compute(p kv.Payer, tokens int) {
	l.charge(p, kv.Space{}, func(a *amounts, _ time.Duration) { a.computed += int64(tokens) })
}

// Fetch charges the time in which a block was brought up from a tier.
func (l *Ledger) Fetch(p kv.Payer, s kv.Space, took time.Duration) {
	l.charge(p, s, func(a *amounts, _ time.Duration) { a.reading += took })
}

// Store charges a block that became durable in the tier of that name.
func (l *Ledger) Store(p kv.Payer, s kv.Space, tier string, bytes int64) {
	if tierOf(tier) == diskTier {
		l.charge(p, s, func(a *amounts, _ time.Duration) { a.diskWritten += bytes })
	}
}

// Call charges a request to the bucket, and the bytes of objects that it read and wrote.
func (l *Ledger) Call(p kv.Payer, read, written int64) {
	l.charge(p, kv.Space{}, func(a *amounts, _ time.Duration) {
		a.objectCalls++
		a.objectRead += read
		a.objectWritten += written
	})
}

// meter charges what a tier has.
type meter struct {
	ledger *Ledger
	tier   int
}

// Meter is what the tier of that name tells of its blocks.
func (l *Ledger) Meter(tier string) kv.Meter { return meter{l, tierOf(tier)} }

// Entered implements kv.Meter.
func (m meter) Entered(p kv.Payer, s kv.Space, bytes int64) {
	m.ledger.charge(p, s, func(a *amounts, now time.Duration) { a.held[m.tier].change(bytes, now) })
}

// Left implements kv.Meter.
func (m meter) Left(p kv.Payer, s kv.Space, bytes int64) { m.Entered(p, s, -bytes) }

// ByteHours are what all blocks together were in a tier since the start, by its name.
func (l *Ledger) ByteHours() map[string]float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, hours := l.now(), map[string]float64{}
	for i, tier := range tierNames() {
		hours[tier] = l.total.held[i].until(now).hours()
	}
	return hours
}
