package engine

import (
	"context"
	"fmt"
	"time"
)

// Submit queues a request and returns its answer, which ends early if ctx does. It refuses at once, with ErrStarting,
// ErrDraining, ErrQueueFull, ErrInvalid, *TooLongError or *NeverFitsError, what it can't promise to finish.
func (e *Engine) Submit(ctx context.Context, req Request) (*Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := e.accepts(&req); err != nil {
		return nil, err
	}
	seq := newSequence(req, e.seed(req.Sampling), time.Now())
	if e.cfg.Tenant != nil {
		seq.tenant = e.cfg.Tenant(req.Tenant)
	}
	seq.stream.watch(ctx)
	e.look(ctx, seq)
	if err := e.enqueue(seq); err != nil {
		seq.stream.unwatch()
		seq.giveUp()
		return nil, err
	}
	e.signal()
	return seq.stream, nil
}

// accepts tells whether the request could ever be answered.
func (e *Engine) accepts(req *Request) error {
	e.mu.Lock()
	started, spec, pool := e.status.Started, e.spec, e.pool
	e.mu.Unlock()
	if !started {
		return ErrStarting
	}
	if err := req.check(spec.Vocabulary); err != nil {
		return err
	}
	total := len(req.Tokens) + req.MaxTokens
	if total > spec.Context {
		return &TooLongError{Prompt: len(req.Tokens), MaxTokens: req.MaxTokens, Context: spec.Context}
	}
	if budget := pool.Capacity() * BlockTokens; total > budget {
		return &NeverFitsError{Prompt: len(req.Tokens), MaxTokens: req.MaxTokens, Budget: budget}
	}
	return nil
}

// enqueue adds the sequence to the queue, which is bounded.
func (e *Engine) enqueue(seq *sequence) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.status.Draining {
		return ErrDraining
	}
	free := max(0, e.cfg.MaxBatch-e.status.Running-e.status.Preempted)
	if len(e.queue) >= e.cfg.MaxQueue+free {
		return fmt.Errorf("%w: %d requests are waiting", ErrQueueFull, len(e.queue))
	}
	e.age++
	seq.age = e.age
	e.queue = append(e.queue, seq)
	if !e.busy {
		e.busy, e.beat = true, time.Now()
	}
	return nil
}

func (e *Engine) seed(how Sampling) uint64 {
	if how.Seed != nil {
		return *how.Seed
	}
	return e.cfg.Seed()
}

func (e *Engine) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Drain refuses new requests and waits until the accepted ones have ended or ctx has.
func (e *Engine) Drain(ctx context.Context) error {
	select {
	case <-e.startDrain():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for running requests: %w", context.Cause(ctx))
	}
}

// startDrain makes the engine refuse requests and returns what is closed when no work is left.
func (e *Engine) startDrain() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Draining = true
	if e.idle == nil {
		e.idle = make(chan struct{})
		if !e.busy {
			close(e.idle)
		}
	}
	return e.idle
}
