package agents

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// mostSuperseded is how many tails wait to be removed; beyond, the oldest are left to the tiers' own order.
const mostSuperseded = 1000

// supersededTail is a tail that its agent no longer needs, and what does its work.
type supersededTail struct {
	tail kv.Ref
	by   kv.Chain
}

// superseded are the tails that are removed once what replaced them is durable.
type superseded struct {
	mu    sync.Mutex
	tails []supersededTail
}

func (s *superseded) add(tails []supersededTail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tails = append(s.tails, tails...)
	s.tails = s.tails[max(0, len(s.tails)-mostSuperseded):]
}

// again is when waiting tails are looked at next; never if there are none.
func (s *superseded) again(after time.Duration) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tails) == 0 {
		return nil
	}
	return time.After(after)
}

// take takes the tails out whose successors are durable.
func (s *superseded) take(isDurable func(kv.Chain) bool) (removable []kv.Ref) {
	s.mu.Lock()
	waiting := s.tails
	s.tails = nil
	s.mu.Unlock()
	waiting = slices.DeleteFunc(waiting, func(t supersededTail) bool {
		if !isDurable(t.by) {
			return false
		}
		removable = append(removable, t.tail)
		return true
	})
	s.add(waiting)
	return removable
}

// removeSuperseded removes the tails that are no longer needed, unless another agent owns them.
func (j *janitor) removeSuperseded(ctx context.Context) {
	store, err := j.conn.ask(ctx)
	if err != nil {
		return
	}
	removable := j.writer.superseded.take(j.isDurable)
	if len(removable) == 0 {
		return
	}
	if _, err := j.removeUnowned(ctx, store, "superseded", removable); err != nil {
		j.cfg.Log.Debug("superseded_tails_not_removed", "error", err)
	}
}

// isDurable tells whether a tier below the pool has all of the chain.
func (j *janitor) isDurable(chain kv.Chain) bool {
	holdings := j.cfg.Memory.Holdings([]kv.Chain{chain})
	return len(holdings) > 1 && slices.ContainsFunc(holdings[1:], func(h kv.Holding) bool { return h.Tokens == chain.Tokens })
}
