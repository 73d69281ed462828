package agents

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// maxSuperseded is how many tails wait to be removed; beyond, the oldest are left to the tiers' own order.
const maxSuperseded = 1000

// supersededTail is a tail that its agent no longer needs, and the chain that replaced it.
type supersededTail struct {
	tail      kv.Ref
	successor kv.Chain
}

// supersededTails are the tails that are removed once what replaced them is durable.
type supersededTails struct {
	mu    sync.Mutex
	tails []supersededTail
}

func (s *supersededTails) add(tails []supersededTail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tails = append(s.tails, tails...)
	s.tails = s.tails[max(0, len(s.tails)-maxSuperseded):]
}

// nextLook returns a channel that tells when to look at waiting tails again; nil if there are none.
func (s *supersededTails) nextLook(after time.Duration) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tails) == 0 {
		return nil
	}
	return time.After(after)
}

// take takes the tails out whose successors are durable.
func (s *supersededTails) take(isDurable func(kv.Chain) bool) (removable []kv.Ref) {
	s.mu.Lock()
	waiting := s.tails
	s.tails = nil
	s.mu.Unlock()
	waiting = slices.DeleteFunc(waiting, func(t supersededTail) bool {
		if !isDurable(t.successor) {
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
