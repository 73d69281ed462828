package agents

import (
	"context"
	"sync"
	"time"
)

// parentKept is for how long after a request of one that works for it an agent's memory is given up after others'.
const parentKept = 10 * time.Minute

// parents are the agents for which others have worked since they were looked at last.
type parents struct {
	mu     sync.Mutex
	worked map[ref]bool
}

func newParents() *parents { return &parents{worked: map[ref]bool{}} }

func (p *parents) add(at ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.worked[at] = true
}

func (p *parents) take() map[ref]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.worked
	p.worked = map[ref]bool{}
	return taken
}

// Worked notes that another agent works for this one, which will go on when that is done: its memory is kept for a while
// rather than that of others.
func (r *Registry) Worked(tenant, parent string) {
	at, now := ref{tenant, parent}, r.cfg.Clock()
	r.hot.keep(at, now, now.Add(parentKept))
	r.parents.add(at)
	select {
	case r.wakeUps <- struct{}{}:
	default:
	}
}

// keepParents keeps the memory of those for whom others work.
func (r *Registry) keepParents(ctx context.Context) {
	for at := range r.parents.take() {
		record, err := r.Get(ctx, at.tenant, at.id)
		if err != nil {
			continue // it has no memory, or that can't be known now: nothing breaks without
		}
		r.cfg.Memory.Retain(record.Chains(), r.cfg.Clock().Add(parentKept))
	}
}
