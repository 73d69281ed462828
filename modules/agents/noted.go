package agents

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// ref names an agent.
type ref struct{ tenant, id string }

func (a ref) compare(b ref) int {
	return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.id, b.id))
}

// notedUses are the uses that are not written yet.
type notedUses struct {
	mu   sync.Mutex
	uses map[ref][]Use // oldest first
}

func (n *notedUses) add(at ref, use Use) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.uses == nil {
		n.uses = map[ref][]Use{}
	}
	n.uses[at] = append(n.uses[at], use)
}

// of are the uses of one agent.
func (n *notedUses) of(at ref) []Use {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.uses[at])
}

// all are the uses of all agents.
func (n *notedUses) all() map[ref][]Use {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := maps.Clone(n.uses)
	for at, uses := range all {
		all[at] = slices.Clone(uses)
	}
	return all
}

// remove takes an agent's oldest uses out, since they are written or no longer wanted.
func (n *notedUses) remove(at ref, many int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	uses := n.uses[at]
	if uses = uses[min(many, len(uses)):]; len(uses) == 0 {
		delete(n.uses, at)
		return
	}
	n.uses[at] = uses
}

func (n *notedUses) refs() []ref {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Keys(n.uses))
}

// needed are those of the keys whose blocks a use needs that is not written yet.
func (n *notedUses) needed(keys []kv.Key) map[kv.Key]bool {
	wanted := make(map[kv.Key]bool, len(keys))
	for _, key := range keys {
		wanted[key] = true
	}
	needed := map[kv.Key]bool{}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, uses := range n.uses {
		for _, use := range uses {
			for _, key := range append(slices.Clip(use.Chain.Keys), use.Chain.Tail) {
				if wanted[key] {
					needed[key] = true
				}
			}
		}
	}
	return needed
}
