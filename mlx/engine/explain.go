package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/prefix"
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
	l, room, err := e.accepts(&req)
	if err != nil {
		return nil, err
	}
	if e.cfg.Tenant == nil {
		return nil, fmt.Errorf("%w: this engine keeps nothing", ErrInvalid)
	}
	tenant := e.cfg.Tenant(req.Tenant)
	return l.planner.explain(kv.WithPayer(ctx, e.cfg.payer(&req, tenant, l.spec)), tenant, &req, room), nil
}

// explain looks a prompt up, and counts as nobody's hit or miss.
func (p *planner) explain(ctx context.Context, tenant *kv.Tenant, req *Request, room int) *Explanation {
	p.learn(ctx, tenant, req, room)
	match := p.peeker(tenant, req.Spelling).Prompt(ctx, req.Tokens, req.Answers, room)
	x := p.describe(match)
	x.Missing = p.missing(ctx, tenant, match)
	x.Respelt = match.Replayed > 0 && !slices.Equal(x.Tokens, req.Tokens)
	return x
}

// peeking is a cache whose look-ups count as nobody's.
type peeking struct{ *cache.Cache }

// Lookup implements prefix.Cache.
func (p peeking) Lookup(ctx context.Context, refs []kv.Ref) []cache.Found { return p.Peek(ctx, refs) }

// peeker is a matcher whose look-ups count as nobody's.
func (p *planner) peeker(tenant *kv.Tenant, spelling prefix.Spelling) *prefix.Matcher {
	m := p.matcher(tenant, spelling)
	m.Cache = peeking{p.cache}
	return m
}

// describe tells what is cached and where that ends.
func (p *planner) describe(m *prefix.Match) *Explanation {
	x := &Explanation{Tokens: kv.IDs(m.Tokens), Cached: m.Cached(), Diverges: -1}
	for i, f := range m.Full {
		x.Blocks = append(x.Blocks, p.part(f, i*BlockTokens, (i+1)*BlockTokens))
	}
	if m.Part != nil {
		x.Blocks = append(x.Blocks, p.part(*m.Part, x.Cached-m.Common, x.Cached))
		x.Nearest = m.Part.Tokens - m.Common
	}
	if x.Cached < len(m.Tokens)-1 {
		x.Diverges = x.Cached
	}
	return x
}

func (p *planner) part(f cache.Found, from, to int) ExplainedPart {
	part := ExplainedPart{From: from, To: to, Key: f.Key, Used: f.Used}
	if f.InPool {
		part.Tiers = append(part.Tiers, "pool")
	}
	for _, i := range f.Tiers {
		part.Tiers = append(part.Tiers, p.cfg.Tiers[i].Name())
	}
	return part
}

// missing are the expected blocks behind the path that are nowhere although there is a trace of them: a later one is
// somewhere, or what there was of them turned out damaged.
func (p *planner) missing(ctx context.Context, tenant *kv.Tenant, m *prefix.Match) (gaps []ExplainedPart) {
	refs := kv.FullRefs(p.spec.space(tenant), m.Keys, 0)
	last := -1
	for i, found := range p.cache.Peek(ctx, refs) {
		if found.Exists() {
			last = i
		} else if i >= len(m.Full) {
			gaps = append(gaps, ExplainedPart{
				From: i * BlockTokens, To: (i + 1) * BlockTokens, Key: refs[i].Key, Damaged: p.cache.Quarantined(refs[i]),
			})
		}
	}
	return slices.DeleteFunc(gaps, func(gap ExplainedPart) bool { return gap.From/BlockTokens > last && !gap.Damaged })
}
