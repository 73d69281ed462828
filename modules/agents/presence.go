package agents

import (
	"context"
	"errors"
	"sync"
	"time"
)

// presence tells a store that several nodes share that this one lives, and has others look there for what other
// nodes left: at once when that is told, and at every beat should it not be.
type presence struct {
	cfg  Settings
	conn *connection
	look func()
}

// run goes on until ctx ends. A store of this node alone is left in peace.
func (p *presence) run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { p.repeat(ctx, Shared.Beat, p.look) })
	both.Go(func() {
		p.repeat(ctx, func(store Shared, ctx context.Context) error { return store.Watch(ctx, p.look) }, func() {})
	})
	both.Wait()
}

// repeat does something with the shared store at every beat, and something else when it went well.
func (p *presence) repeat(ctx context.Context, do func(Shared, context.Context) error, done func()) {
	tick := time.NewTicker(p.cfg.Beat)
	defer tick.Stop()
	for {
		if store, err := p.conn.ask(ctx); err == nil {
			if shared, is := store.(Shared); is {
				if err := do(shared, ctx); err != nil {
					p.logFailure(ctx, err)
				} else {
					done()
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// logFailure logs a failure. That the database is away is logged elsewhere.
func (p *presence) logFailure(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, ErrSameNode):
		p.cfg.Log.Error("node_id_twice", "error", err.Error(), "advice", "give each server a cache folder of its own")
	default:
		p.cfg.Log.Debug("presence_not_told", "error", err)
	}
}
