package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// restorer gives sequences the blocks that are there or on their way. The device's thread alone uses it.
type restorer struct {
	cfg      *Config
	listener Listener
	spec     Spec
	model    Model
	pool     *pool.Pool
	planner  *planner
	slots    *slots
	shortage *shortage
	wake     wake
	aside    sync.WaitGroup // look-ups for preempted sequences
}

// replan looks again for a sequence that was preempted, aside: the loop goes on.
func (r *restorer) replan(seq *sequence) {
	if seq.tenant == nil || len(r.cfg.Tiers) == 0 {
		return
	}
	plan, tokens := newPlan(), slices.Clone(seq.tokens)
	seq.plan = plan
	// It keeps its tokens: what was generated can't be spelt otherwise any more.
	ahead := &sequence{tenant: seq.tenant, payer: seq.payer, plan: plan, stream: seq.stream}
	r.aside.Go(func() {
		defer r.wake.signal()
		defer close(plan.known)
		plan.Match = r.planner.matcher(ahead.tenant, nil).Tokens(context.Background(), tokens)
		r.planner.prefetch(ahead)
	})
}

// restore gives running sequences what arrived for them. Those that have all they can expect are ready to compute.
func (r *restorer) restore() {
	for _, seq := range r.slots.running {
		if seq.ready || !seq.caughtUp() && r.awaits(seq) || r.shortage.isPassing() {
			continue
		}
		r.matchPart(seq)
		seq.ready = true
		if seq.plan != nil {
			seq.plan.given.Store(true)
			if isClosed(seq.plan.known) && len(seq.plan.flights) > 0 {
				r.listener.Restored(r.cfg.since(seq.plan.began))
			}
		}
		if !seq.begun {
			seq.begun, seq.way.computing = true, r.cfg.Clock()
			r.noteRead(seq, 0)
			seq.stream.begin(seq.result.Usage)
		}
	}
}

// awaits tells whether the sequence should wait for a block that is on its way rather than compute it.
func (r *restorer) awaits(seq *sequence) bool {
	r.matchFull(seq)
	p := seq.plan
	if p == nil {
		return false
	}
	if !isClosed(p.known) {
		return r.patient(seq, kv.Root)
	}
	n := len(seq.keys)
	switch {
	case n < len(p.Full):
		for i := n; i < min(len(p.Full), n+aheadBlocks); i++ {
			r.planner.fly(seq, p.Full[i])
		}
		return r.pending(seq, p.Full[n])
	case n == len(p.Full) && p.Part != nil && p.Part.Parent == seq.parent():
		return r.pending(seq, *p.Part)
	}
	return false
}

// aheadBlocks is how many blocks of a running sequence are asked for at once.
const aheadBlocks = 16

// pending tells whether the sequence should wait for its next block.
func (r *restorer) pending(seq *sequence, f cache.Found) bool {
	if r.pool.Has(f.Space, f.Key) {
		return r.takesNow(seq)
	}
	flight := r.planner.fly(seq, f)
	if flight == nil {
		return false
	}
	flight.Hurry()
	if over, err := flight.Over(); over && err != nil {
		return false
	}
	return r.patient(seq, f.Key)
}

// takesNow tells whether a full block that arrived after the sequence looked for it can be taken: then it looks
// again.
func (r *restorer) takesNow(seq *sequence) bool {
	n := len(seq.keys)
	r.matchFull(seq)
	return len(seq.keys) > n && r.awaits(seq)
}

// patient tells whether the sequence has not yet waited for the block longer than computing it would have taken.
func (r *restorer) patient(seq *sequence, key kv.Key) bool {
	p, now := seq.plan, r.cfg.Clock()
	if p.since.IsZero() || p.next != key {
		p.since, p.next = now, key
	}
	return now.Sub(p.since) < r.planner.restores.patience()
}

// resume lets computing sequences take full blocks that arrived when they come to a block's border.
func (r *restorer) resume() {
	for _, seq := range r.slots.running {
		if seq.tenant == nil || !seq.ready || seq.caughtUp() || seq.computed%BlockTokens != 0 || seq.computed != len(seq.keys)*BlockTokens {
			continue
		}
		before := seq.computed
		r.matchFull(seq)
		if seq.generated() == 0 {
			r.noteRead(seq, max(before, seq.reached))
		}
	}
}
