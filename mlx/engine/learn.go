package engine

import (
	"context"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

const (
	learnFor      = time.Second // at most, for one request
	learnTokens   = BlockTokens // so many tokens must be missing for others than recorded blocks to be asked for
	learnRest     = 16          // and so many, once something was found, for the search to go on
	learnChains   = 2           // conversations of an agent that are asked for
	learnEnds     = 8           // blocks within answers behind which is looked at once
	learnBranches = 64          // parents of one prompt behind which blocks are asked for
)

// learn has distant tiers asked for what of the request's prompt is not known to be anywhere, so that matching,
// which waits for nobody, finds it. What the agent's record names is asked for first: most of its blocks were
// stored by the node that it spoke to before.
func (p *planner) learn(ctx context.Context, tenant *kv.Tenant, req *Request, room int) {
	if !p.cache.HasDistant() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, learnFor)
	defer cancel()
	match := func() *prefix.Match { return p.peeker(tenant, req.Spelling).Prompt(ctx, req.Tokens, req.Answers, room) }
	chains := p.chains(ctx, tenant, req)
	for _, chain := range chains {
		p.cache.Learn(ctx, chain.Refs())
	}
	m := match()
	if lacks(m) < learnTokens || continues(m, chains) {
		return
	}
	if p.cache.Learn(ctx, kv.FullRefs(p.spec.space(tenant), m.Keys, len(m.Full))) {
		m = match()
	} else if len(m.Full) == 0 && len(req.Answers) == 0 {
		return // a prompt that begins, and whose beginning nobody has
	}
	for range learnBranches {
		if lacks(m) < learnRest || ctx.Err() != nil || !p.learnBehind(ctx, tenant, m) {
			return
		}
		m = match()
	}
}

// learnBehind asks what continues the last block that was found, and those that end within an answer. It tells whether
// there is something new.
func (p *planner) learnBehind(ctx context.Context, tenant *kv.Tenant, m *prefix.Match) (more bool) {
	ends := slices.Concat(m.Ends[:min(len(m.Ends), learnEnds)], []kv.Key{m.Parent()})
	for _, parent := range ends {
		more = p.cache.LearnBehind(ctx, p.spec.space(tenant), parent) || more
	}
	return more
}

// chains are the agent's recorded conversations with this model.
func (p *planner) chains(ctx context.Context, tenant *kv.Tenant, req *Request) (chains []kv.Chain) {
	if p.cfg.Chains == nil || req.Agent == "" {
		return nil
	}
	for _, chain := range p.cfg.Chains(ctx, req.Tenant, req.Agent) {
		if chain.Space == p.spec.space(tenant) && len(chains) < learnChains {
			chains = append(chains, chain)
		}
	}
	return chains
}

// lacks is how many tokens of a prompt are nowhere, as far as known.
func lacks(m *prefix.Match) int { return len(m.Tokens) - 1 - m.Cached() }

// continues tells whether the prompt goes on with one of the conversations: nobody else has what comes behind it.
func continues(m *prefix.Match, chains []kv.Chain) bool {
	for _, chain := range chains {
		n := len(chain.Keys)
		if n > 0 && n <= len(m.Full) && m.Full[n-1].Key == chain.Keys[n-1] {
			return true
		}
	}
	return false
}
