package engine

import (
	"cmp"
	"context"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Submit queues a request and returns its answer, which ends early if ctx does. It refuses at once, with ErrStarting,
// ErrUnloaded, ErrDraining, ErrQueueFull, ErrInvalid, *TooLongError or *NeverFitsError, what it can't promise to finish.
func (e *Engine) Submit(ctx context.Context, req Request) (*Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	l, room, err := e.accepts(&req)
	if err != nil {
		return nil, err
	}
	seq := newSequence(req, e.seed(req.Sampling), e.cfg.Clock())
	seq.limit(req.MaxTokens, room)
	if e.cfg.Tenant != nil {
		seq.tenant = e.cfg.Tenant(req.Tenant)
	}
	seq.payer = e.cfg.payer(&req, seq.tenant, l.spec)
	e.chooseAudit(seq, &req)
	seq.stream.watch(ctx)
	e.admission.arrive(seq)
	l.planner.look(ctx, seq, &req)
	seq.way.queued = e.cfg.Clock()
	if err := e.admission.enqueue(seq, func() bool { return e.opened() == l }); err != nil {
		seq.stream.unwatch()
		seq.giveUp()
		return nil, err
	}
	e.wake.signal()
	return seq.stream, nil
}

// accepts tells whether the request could ever be answered, by what, and how many tokens prompt and answer may have
// together.
func (e *Engine) accepts(req *Request) (l *loaded, room int, err error) {
	if l = e.opened(); l == nil {
		return nil, 0, cmp.Or(e.Absence(), ErrStarting) // one may have come meanwhile
	}
	if req.Model != (kv.Fingerprint{}) && req.Model != l.spec.Fingerprint { // another model was loaded meanwhile
		return nil, 0, ErrStarting
	}
	if err := req.check(l.spec.Vocabulary); err != nil {
		return nil, 0, err
	}
	if len(req.Tokens) > l.spec.Context {
		return nil, 0, &TooLongError{Prompt: len(req.Tokens), Context: l.spec.Context}
	}
	budget := l.pool.Capacity() * BlockTokens
	if len(req.Tokens) > budget {
		return nil, 0, &NeverFitsError{Prompt: len(req.Tokens), Budget: budget}
	}
	return l, min(l.spec.Context, budget), nil
}

// payer is who pays for a request, if accounts are kept.
func (c *Config) payer(req *Request, tenant *kv.Tenant, spec Spec) kv.Payer {
	if c.Payer == nil {
		return nil
	}
	asks := Asks{Tenant: req.Tenant, Agent: req.Agent, Model: spec.Name}
	if tenant != nil {
		asks.Space = spec.space(tenant)
	}
	return c.Payer(asks)
}

func (e *Engine) seed(how Sampling) uint64 {
	if how.Seed != nil {
		return *how.Seed
	}
	return e.cfg.Seed()
}

// Drain refuses new requests and waits until the accepted ones have ended or ctx has.
func (e *Engine) Drain(ctx context.Context) error {
	select {
	case <-e.admission.drain():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running requests: %w", context.Cause(ctx))
	}
}
