package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
)

// firstPatience is how long a sequence waits for a block that is on its way, before anything was computed.
const firstPatience = time.Second

// plan is what a sequence expects from the tiers: its full blocks as far as they are somewhere, and the block that
// begins with most of the tokens behind.
type plan struct {
	path    []cache.Found
	part    *cache.Found
	flights map[kv.Key]*cache.Flight
	given   atomic.Bool // nobody waits for it any more
	known   chan struct{}
	since   time.Time // the sequence has waited for its next block
	next    kv.Key    // that block
	began   time.Time // the first fetch
}

func newPlan() *plan { return &plan{flights: map[kv.Key]*cache.Flight{}, known: make(chan struct{})} }

// look finds what there is of the sequence's prompt and has the first blocks fetched. It runs where the request
// arrived, before its turn.
func (e *Engine) look(ctx context.Context, seq *sequence) {
	if seq.tenant == nil {
		return
	}
	seq.plan = newPlan()
	defer close(seq.plan.known)
	e.find(ctx, seq)
	e.prefetch(seq)
}

// find fills in the sequence's plan with what there is of its tokens in all tiers, in other spellings too.
func (e *Engine) find(ctx context.Context, seq *sequence) {
	for {
		found := e.lookup(ctx, seq)
		from, parent := seq.plan.end()
		if e.respell(seq, from, parent, entriesOf(found)) {
			continue
		}
		seq.plan.part = e.partOf(seq, found)
		return
	}
}

// end is where the path ends: the number of tokens, and the key of the last block.
func (p *plan) end() (tokens int, last kv.Key) {
	n := len(p.path)
	if n == 0 {
		return 0, kv.Root
	}
	return n * BlockTokens, p.path[n-1].Key
}

// lookup fills in the path as far as the full blocks are somewhere, and returns what continues it.
func (e *Engine) lookup(ctx context.Context, seq *sequence) []cache.Found {
	p := seq.plan
	keys := seq.tenant.Keys(e.spec.Fingerprint, seq.tokens[:len(seq.tokens)-1])
	found := e.cache.Lookup(ctx, kv.Query{
		Space: e.space(seq), Parents: append([]kv.Key{kv.Root}, keys...), Keys: keys,
	})
	p.path = p.path[:0]
	for i, key := range keys {
		at := slices.IndexFunc(found[i], func(f cache.Found) bool { return f.Key == key })
		if at < 0 {
			break
		}
		p.path = append(p.path, found[i][at])
	}
	return found[len(p.path)]
}

func entriesOf(found []cache.Found) []kv.Entry {
	entries := make([]kv.Entry, len(found))
	for i, f := range found {
		entries[i] = f.Entry
	}
	return entries
}

// partOf chooses the block that begins with the most of the tokens behind the path, one in the pool if it can.
func (e *Engine) partOf(seq *sequence, found []cache.Found) (best *cache.Found) {
	tags, most := e.tagsBehind(seq), 0
	for i, f := range found {
		if n := kv.Common(f.Tags, tags); n > most || n == most && n > 0 && f.InPool && !best.InPool {
			best, most = &found[i], n
		}
	}
	return best
}

// tagsBehind are the tags of the tokens that follow the path, a block's at most.
func (e *Engine) tagsBehind(seq *sequence) []kv.Tag {
	from, parent := seq.plan.end()
	rest := seq.tokens[from : len(seq.tokens)-1]
	return seq.tenant.Tags(e.spec.Fingerprint, parent, rest[:min(len(rest), BlockTokens)])
}

// prefetch has blocks fetched before the sequence gets its slot, as far as half of what is free in the pool takes
// them and as fetching is quicker than computing.
func (e *Engine) prefetch(seq *sequence) {
	p, room := seq.plan, e.pool.Free()/2
	found := slices.Clone(p.path)
	if p.part != nil {
		found = append(found, *p.part)
	}
	e.cache.Used(entriesOf(found), time.Time{})
	e.cache.Lost(found)
	for i := range min(len(p.path), room) {
		e.fly(seq, p.path[i])
	}
	if p.part != nil && len(p.path) < room {
		e.fly(seq, *p.part)
	}
}

// fly has a block fetched if it is not in the pool and worth it. A flight that is over is not begun again unless the
// block could be had: it was there but given up since, or there was no room for it.
func (e *Engine) fly(seq *sequence, f cache.Found) *cache.Flight {
	p := seq.plan
	if flight := p.flights[f.Key]; flight != nil {
		over, err := flight.Over()
		if !over || err != nil && !errors.Is(err, kv.ErrFull) {
			return flight
		}
	}
	if len(e.cfg.Tiers) == 0 || e.pool.Has(f.Space, f.Key) {
		return nil
	}
	if !e.worthwhile(f) {
		return nil
	}
	if p.began.IsZero() {
		p.began = time.Now()
	}
	flight := e.cache.Fetch(seq.tenant, f, func() bool { return !p.given.Load() && seq.stream.cancelCause() == nil })
	p.flights[f.Key] = flight
	return flight
}

// worthwhile tells whether fetching a block is quicker than computing its tokens, or hardly slower, as far as both
// were measured.
func (e *Engine) worthwhile(f cache.Found) bool {
	fetch, known := e.cache.Estimate(f, f.Bytes)
	compute := e.computing(len(f.Tags))
	return !known || compute == 0 || fetch < compute+e.cfg.Margin
}

// computing is how long computing so many prompt tokens takes, as measured of late; 0 if nothing was.
func (e *Engine) computing(tokens int) time.Duration {
	return time.Duration(e.tokenNanos.Load() * int64(tokens))
}

// measure notes what computing prompt tokens took.
func (l *loop) measure(tokens int, took time.Duration) {
	now, before := took.Nanoseconds()/int64(max(1, tokens)), l.tokenNanos.Load()
	if before > 0 {
		now = before + (now-before)/4
	}
	l.tokenNanos.Store(now)
}

// replan looks again for a sequence that was preempted, aside: the loop goes on.
func (l *loop) replan(seq *sequence) {
	if seq.tenant == nil || len(l.cfg.Tiers) == 0 {
		return
	}
	seq.plan = newPlan()
	// It keeps its spelling: what was generated can't be spelt otherwise any more.
	shadow := &sequence{tokens: slices.Clone(seq.tokens), tenant: seq.tenant, plan: seq.plan, stream: seq.stream}
	l.aside.Go(func() {
		defer l.signal()
		defer close(shadow.plan.known)
		l.find(context.Background(), shadow)
		l.prefetch(shadow)
	})
}

// restore gives running sequences what arrived for them. Those that have all they can expect are ready to compute.
func (l *loop) restore() {
	for _, seq := range l.running {
		if seq.ready || !seq.decoding() && l.awaits(seq) || l.spares() {
			continue
		}
		l.matchPart(seq)
		seq.ready = true
		if seq.plan != nil {
			seq.plan.given.Store(true)
			if len(seq.plan.flights) > 0 {
				l.listener.Restored(time.Since(seq.plan.began))
			}
		}
		if !seq.begun {
			seq.begun = true
			seq.result.Usage.Cached = seq.computed
			seq.stream.begin(seq.result.Usage)
		}
	}
}

// awaits tells whether the sequence should wait for a block that is on its way rather than compute it.
func (l *loop) awaits(seq *sequence) bool {
	l.matchFull(seq)
	p := seq.plan
	if p == nil {
		return false
	}
	select {
	case <-p.known:
	default:
		return l.patient(seq, kv.Root)
	}
	n := len(seq.keys)
	switch {
	case n < len(p.path):
		for i := n; i < min(len(p.path), n+aheadBlocks); i++ {
			l.fly(seq, p.path[i])
		}
		return l.pending(seq, p.path[n])
	case n == len(p.path) && p.part != nil && p.part.Parent == seq.parent():
		return l.pending(seq, *p.part)
	}
	return false
}

// aheadBlocks is how many blocks of a running sequence are asked for at once.
const aheadBlocks = 16

// pending tells whether the sequence should wait for its next block.
func (l *loop) pending(seq *sequence, f cache.Found) bool {
	if l.pool.Has(f.Space, f.Key) {
		return l.takesNow(seq)
	}
	flight := l.fly(seq, f)
	if flight == nil {
		return false
	}
	flight.Hurry()
	if over, err := flight.Over(); over && err != nil {
		return false
	}
	return l.patient(seq, f.Key)
}

// takesNow tells whether a full block that arrived after the sequence looked for it can be taken: then it looks again.
func (l *loop) takesNow(seq *sequence) bool {
	n := len(seq.keys)
	l.matchFull(seq)
	return len(seq.keys) > n && l.awaits(seq)
}

// patient tells whether the sequence has not yet waited for the block longer than computing it would have taken.
func (l *loop) patient(seq *sequence, key kv.Key) bool {
	p, now := seq.plan, time.Now()
	if p.since.IsZero() || p.next != key {
		p.since, p.next = now, key
	}
	patience := firstPatience
	if compute := l.computing(BlockTokens); compute > 0 {
		patience = 2 * compute
	}
	return now.Sub(p.since) < max(patience, l.cfg.Patience)
}

// resume lets a computing sequence take full blocks that are there when it comes to a block's border.
func (l *loop) resume(seq *sequence) {
	if seq.tenant == nil || seq.computed%BlockTokens != 0 || seq.computed != len(seq.keys)*BlockTokens {
		return
	}
	before := seq.computed
	l.matchFull(seq)
	if seq.generated() == 0 {
		seq.result.Usage.Cached += max(0, seq.computed-max(before, seq.reached))
	}
}
