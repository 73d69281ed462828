package agents

import (
	"context"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// mostOutgrown is how many tails wait to be removed; beyond, the oldest are left to the tiers' own order.
const mostOutgrown = 1000

// outgrown is a tail that its agent no longer needs, and what does its work.
type outgrown struct {
	tail kv.Entry
	by   kv.Chain
}

func (r *Registry) remember(replaced []outgrown) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outgrown = append(r.outgrown, replaced...)
	r.outgrown = r.outgrown[max(0, len(r.outgrown)-mostOutgrown):]
}

// prune removes the tails that were outgrown, once what replaced them is durable, unless another agent owns them.
func (r *Registry) prune(ctx context.Context) {
	store, err := r.ask()
	if err != nil {
		return
	}
	r.mu.Lock()
	waiting := r.outgrown
	r.outgrown = nil
	r.mu.Unlock()
	var removable []kv.Entry
	waiting = slices.DeleteFunc(waiting, func(o outgrown) bool {
		if !r.isDurable(o.by) {
			return false
		}
		removable = append(removable, o.tail)
		return true
	})
	r.remember(waiting)
	if len(removable) == 0 {
		return
	}
	orphans, err := store.Unowned(ctx, removable)
	if err == nil {
		_, err = r.cfg.Memory.Delete(ctx, orphans)
	}
	if err != nil {
		r.cfg.Log.Debug("outgrown_tails_not_removed", "error", err)
	}
}

// isDurable tells whether a tier below the pool has all of the chain.
func (r *Registry) isDurable(chain kv.Chain) bool {
	holdings := r.cfg.Memory.Holdings([]kv.Chain{chain})
	return len(holdings) > 1 && slices.ContainsFunc(holdings[1:], func(h kv.Holding) bool { return h.Tokens == chain.Tokens })
}

// pruneAgain is when waiting tails are looked at next; never if there are none.
func (r *Registry) pruneAgain() <-chan time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.outgrown) == 0 {
		return nil
	}
	return time.After(r.cfg.Retry)
}

// Owns tells whether an agent needs the block, as far as that can be found out; else it says that one does.
func (r *Registry) Owns(ctx context.Context, e kv.Entry) bool {
	store, err := r.ask()
	if err != nil || r.isNoted(e.Key) {
		return true
	}
	orphans, err := store.Unowned(ctx, []kv.Entry{e})
	return err != nil || len(orphans) == 0
}

// isNoted tells whether a use that is not written yet needs the tail.
func (r *Registry) isNoted(tail kv.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, uses := range r.unsaved {
		if slices.ContainsFunc(uses, func(use Use) bool { return use.Chain.Tail == tail }) {
			return true
		}
	}
	return false
}
