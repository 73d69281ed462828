package engine

import (
	"context"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// forget makes a sequence nobody's: it is answered, but nothing of it can be found from now on, and nothing is kept.
func (s *sequence) forget() {
	s.giveUp()
	s.tenant, s.agent, s.plan, s.retain = nil, "", nil, 0
}

// ForgetAgent makes all requests of an agent that are under way nobody's: they are answered, and at their end
// nothing is kept or told of them. It returns how many there are and the blocks that they have published so far,
// which the caller has removed. It waits for the step that is under way.
func (e *Engine) ForgetAgent(ctx context.Context, tenant, id string) (chains []kv.Chain, underWay int, err error) {
	if id == "" {
		return nil, 0, nil
	}
	underWay = e.admission.forgetArriving(agentOf{tenant, id})
	l := e.opened()
	if l == nil {
		return nil, underWay, nil
	}
	err = l.device.runWithin(ctx, func() {
		for _, seq := range l.slots.of(tenant, id) {
			chains = append(chains, seq.published(l.spec)...)
			underWay++
			seq.forget()
		}
	})
	if err != nil {
		return nil, underWay, fmt.Errorf("forget the requests of agent %q: %w", id, err)
	}
	return chains, underWay, nil
}

// ForgetTenant is ForgetAgent for all requests of a tenant, those of no agent included.
func (e *Engine) ForgetTenant(ctx context.Context, tenant string) error {
	e.admission.forgetArrivingOf(tenant)
	l := e.opened()
	if l == nil {
		return nil
	}
	err := l.device.runWithin(ctx, func() {
		for _, seq := range l.slots.ofTenant(tenant) {
			seq.forget()
		}
	})
	if err != nil {
		return fmt.Errorf("forget the requests of tenant %q: %w", tenant, err)
	}
	return nil
}

// Busy tells whether requests of the agent are under way.
func (e *Engine) Busy(ctx context.Context, tenant, id string) (busy bool) {
	l := e.opened()
	busy = e.admission.arriving(agentOf{tenant, id}) > 0
	if busy || l == nil {
		return busy
	}
	err := l.device.runWithin(ctx, func() { busy = len(l.slots.of(tenant, id)) > 0 })
	return busy || err != nil
}

// published are the blocks that the sequence has published or found so far, those included that it gave back.
func (s *sequence) published(spec Spec) []kv.Chain {
	if s.tenant == nil {
		return nil
	}
	keys := s.tenant.Keys(spec.Fingerprint, s.tokens[:max(s.computed, s.reached)])
	chain := kv.Chain{Space: spec.space(s.tenant), Keys: keys, Tokens: len(keys) * BlockTokens}
	chains := []kv.Chain{chain}
	if s.reached%BlockTokens != 0 { // it was preempted, and a tail was published then
		full := s.reached / BlockTokens
		tail := kv.Chain{Space: chain.Space, Keys: chain.Keys[:full], Tokens: s.reached}
		parent := kv.Root
		if full > 0 {
			parent = chain.Keys[full-1]
		}
		tail.Tail = s.tenant.Key(spec.Fingerprint, parent, s.tokens[full*BlockTokens:s.reached])
		chains = append(chains, tail)
	}
	return chains
}
