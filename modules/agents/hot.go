package agents

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// hotAgents are the agents with blocks in the pool, the one used last at the end.
type hotAgents struct {
	mu   sync.Mutex
	refs []ref
	kept map[ref]time.Time // until then others are evicted before these
}

func newHotAgents() *hotAgents { return &hotAgents{kept: map[ref]time.Time{}} }

// keep has others evicted before an agent until a time.
func (h *hotAgents) keep(at ref, now, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.kept, func(_ ref, end time.Time) bool { return !end.After(now) })
	h.kept[at] = until
}

// touch makes the agent the one used last.
func (h *hotAgents) touch(at ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs = append(withoutRef(h.refs, at), at)
}

// remove notes that an agent has left the pool.
func (h *hotAgents) remove(at ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refs = withoutRef(h.refs, at)
}

// oldestBeyond takes the agent out that was used longest ago, if there are more than so many: one that is kept only if all are.
func (h *hotAgents) oldestBeyond(limit int, now time.Time) (at ref, is bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if limit <= 0 || len(h.refs) <= limit {
		return at, false
	}
	i := max(0, slices.IndexFunc(h.refs, func(at ref) bool { return !h.kept[at].After(now) }))
	at = h.refs[i]
	h.refs = slices.Delete(h.refs, i, i+1)
	return at, true
}

// putBack makes the agent the one used longest ago, unless it was used meanwhile.
func (h *hotAgents) putBack(at ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.refs, at) {
		h.refs = slices.Insert(h.refs, 0, at)
	}
}

// of are the agents of a tenant.
func (h *hotAgents) of(tenant string) []ref {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.refs), func(at ref) bool { return at.tenant != tenant })
}

func (h *hotAgents) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.refs)
}

func withoutRef(refs []ref, at ref) []ref {
	return slices.DeleteFunc(refs, func(other ref) bool { return other == at })
}
