package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// plan is what a sequence expects from the tiers.
type plan struct {
	*prefix.Match // of its prompt; set once known is closed
	flights       map[kv.Key]*cache.Flight
	given         atomic.Bool // nobody waits for it any more
	known         chan struct{}
	since         time.Time // the sequence has waited for its next block
	next          kv.Key    // that block
	began         time.Time // the first fetch
}

func newPlan() *plan {
	return &plan{Match: &prefix.Match{}, flights: map[kv.Key]*cache.Flight{}, known: make(chan struct{})}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// planner finds out what there is of prompts, and has it fetched. It may be used from anywhere.
type planner struct {
	cfg      *Config
	spec     Spec
	pool     *pool.Pool
	cache    *cache.Cache
	restores *restorePolicy
}

// look finds what there is of the sequence's prompt and has the first blocks fetched. It runs where the request
// arrived, before its turn.
func (p *planner) look(ctx context.Context, seq *sequence, req *Request) {
	if seq.tenant == nil {
		return
	}
	seq.plan = newPlan()
	defer close(seq.plan.known)
	seq.way.matching = p.cfg.Clock()
	defer func() { seq.way.matched = p.cfg.Clock() }()
	ctx = kv.WithPayer(ctx, seq.payer)
	p.learn(ctx, seq.tenant, req, seq.room-seq.maxTokens)
	seq.plan.Match = p.matcher(seq.tenant, req.Spelling).Prompt(ctx, req.Tokens, req.Answers, seq.room-seq.maxTokens)
	seq.setPrompt(seq.plan.Tokens, seq.plan.Place(req.Marked))
	p.prefetch(seq)
}

func (p *planner) matcher(tenant *kv.Tenant, spelling prefix.Spelling) *prefix.Matcher {
	return &prefix.Matcher{Cache: p.cache, Fingerprint: p.spec.Fingerprint, Tenant: tenant, Spelling: spelling}
}

func refsOf(found []cache.Found) []kv.Ref {
	refs := make([]kv.Ref, len(found))
	for i, f := range found {
		refs[i] = f.Ref
	}
	return refs
}

// prefetch has blocks fetched before the sequence gets its slot, as far as half of what is free in the pool takes
// them and as fetching is quicker than computing.
func (p *planner) prefetch(seq *sequence) {
	plan, room := seq.plan, p.pool.Free()/2
	found := slices.Clone(plan.Full)
	if plan.Part != nil {
		found = append(found, *plan.Part)
	}
	p.cache.Used(refsOf(found), time.Time{})
	p.cache.Missing(found)
	for i := range min(len(plan.Full), room) {
		p.fly(seq, plan.Full[i])
	}
	if plan.Part != nil && len(plan.Full) < room {
		p.fly(seq, *plan.Part)
	}
}

// fly has a block fetched if it is not in the pool and worth it. A flight that is over is not begun again unless the
// block could be had: it was there but given up since, or there was no room for it.
func (p *planner) fly(seq *sequence, f cache.Found) *cache.Flight {
	plan := seq.plan
	if flight := plan.flights[f.Key]; flight != nil {
		over, err := flight.Over()
		if !over || err != nil && !errors.Is(err, pool.ErrFull) {
			return flight
		}
	}
	if len(p.cfg.Tiers) == 0 || p.pool.Has(f.Space, f.Key) {
		return nil
	}
	if took, known := p.cache.Estimate(f, f.Bytes); !p.restores.isWorthwhile(f.Tokens, took, known) {
		return nil
	}
	if plan.began.IsZero() {
		plan.began = p.cfg.Clock()
	}
	flight := p.cache.Fetch(seq.tenant, seq.payer, f, func() bool { return !plan.given.Load() && seq.stream.cancelCause() == nil })
	plan.flights[f.Key] = flight
	return flight
}
