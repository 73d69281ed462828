package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
)

// Explanation tells how much of a prompt is cached, where, and where it stops.
type Explanation struct {
	Tokens   []int32         // of the prompt, as they would be computed: in the spelling of what is cached
	Respelt  bool            // whether that differs from the spelling of the request
	Cached   int             // tokens that need not be computed
	Blocks   []ExplainedPart // what they come from, in order
	Diverges int             // the first token that differs from the nearest cached sequence; -1 if none does
	Nearest  int             // tokens of that sequence's block behind the divergence; 0: nothing continues there
	Missing  []ExplainedPart // expected blocks that are nowhere, though a later one of the same prompt is somewhere, or damaged
}

// ExplainedPart is a run of tokens with the block that holds it.
type ExplainedPart struct {
	From, To int
	Key      kv.Key
	Tiers    []string  // that have it, the fastest first
	Used     time.Time // last, as far as known
	Damaged  bool      // it is missing because it failed its verification
}

// Explain looks a prompt up as a request would be, and changes nothing.
func (e *Engine) Explain(ctx context.Context, req Request) (*Explanation, error) {
	req.NewDecoder = func() TextDecoder { return nil }
	if err := e.accepts(&req); err != nil {
		return nil, err
	}
	if e.cfg.Tenant == nil {
		return nil, fmt.Errorf("%w: this engine keeps nothing", ErrInvalid)
	}
	seq := &sequence{
		tokens: slices.Clone(req.Tokens), prompt: len(req.Tokens), tenant: e.cfg.Tenant(req.Tenant), spelling: req.Spelling,
		plan: newPlan(),
	}
	e.find(ctx, seq)
	x := e.describe(seq)
	x.Missing = e.missing(ctx, seq)
	x.Respelt = !slices.Equal(seq.tokens, req.Tokens)
	return x, nil
}

// describe tells what is cached and where that ends.
func (e *Engine) describe(seq *sequence) *Explanation {
	p, x := seq.plan, &Explanation{Tokens: seq.tokens, Diverges: -1}
	for i, f := range p.path {
		x.Blocks = append(x.Blocks, e.part(f, i*BlockTokens, (i+1)*BlockTokens))
	}
	x.Cached, _ = p.end()
	if p.part != nil {
		n := kv.Common(p.part.Tags, e.tagsBehind(seq))
		x.Blocks = append(x.Blocks, e.part(*p.part, x.Cached, x.Cached+n))
		x.Cached += n
		x.Nearest = len(p.part.Tags) - n
	}
	if x.Cached < len(seq.tokens)-1 {
		x.Diverges = x.Cached
	}
	return x
}

func (e *Engine) part(f cache.Found, from, to int) ExplainedPart {
	part := ExplainedPart{From: from, To: to, Key: f.Key, Used: f.Used}
	if f.InPool {
		part.Tiers = append(part.Tiers, "pool")
	}
	for _, i := range f.Tiers {
		part.Tiers = append(part.Tiers, e.cfg.Tiers[i].Status().Name)
	}
	return part
}

// missing are the expected blocks behind the path that are nowhere although there is a trace of them: a later one is
// somewhere, or what there was of them turned out damaged.
func (e *Engine) missing(ctx context.Context, seq *sequence) (gaps []ExplainedPart) {
	keys := seq.tenant.Keys(e.spec.Fingerprint, seq.tokens[:len(seq.tokens)-1])
	found := e.cache.Lookup(ctx, kv.Query{Space: e.space(seq), Parents: append([]kv.Key{kv.Root}, keys...)})
	last, parent := -1, kv.Root
	for i, key := range keys {
		if slices.ContainsFunc(found[i], func(f cache.Found) bool { return f.Key == key }) {
			last = i
		} else if i >= len(seq.plan.path) {
			entry := kv.Entry{Space: e.space(seq), Key: key, Parent: parent, Index: i, Tags: make([]kv.Tag, BlockTokens)}
			gaps = append(gaps, ExplainedPart{
				From: i * BlockTokens, To: (i + 1) * BlockTokens, Key: key, Damaged: e.cache.Quarantined(entry),
			})
		}
		parent = key
	}
	return slices.DeleteFunc(gaps, func(gap ExplainedPart) bool { return gap.From/BlockTokens > last && !gap.Damaged })
}
