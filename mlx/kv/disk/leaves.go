package disk

import (
	"container/heap"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// leaves is a heap of the blocks that have no children, in the order of eviction. Taking the last child makes
// its parent a leaf.
type leaves struct {
	blocks   []*block
	children map[*block]int
	excess   map[kv.SaltID]int64 // of tenants whose blocks go first, by bytes that are to go; may be nil
	now      time.Time
	catalog  *catalog
	may      func(*block) bool
}

// leaves collects the blocks that may go. The caller holds the lock as long as it uses them.
func (c *catalog) leaves(may func(*block) bool) *leaves {
	l := &leaves{children: map[*block]int{}, now: c.lastUse, catalog: c, may: may}
	c.index.All(func(b *block) bool {
		l.children[b] = c.index.Children(b.Space, b.Key)
		if l.isLeaf(b) {
			l.blocks = append(l.blocks, b)
		}
		return true
	})
	heap.Init(l)
	return l
}

// leavesBeyond are all leaves, those of tenants first that have more than their share. The caller holds the
// lock as long as it uses them.
func (c *catalog) leavesBeyond(excess map[kv.SaltID]int64) *leaves {
	l := c.leaves(func(*block) bool { return true })
	if l.excess = excess; len(excess) > 0 {
		heap.Init(l)
	}
	return l
}

// takes notes that a block goes. A tenant that is back at its share loses no more than others from then on.
func (l *leaves) takes(b *block) {
	left, is := l.excess[b.Salt]
	if !is {
		return
	}
	if l.excess[b.Salt] = left - b.Value.physical; l.excess[b.Salt] <= 0 {
		delete(l.excess, b.Salt)
		heap.Init(l)
	}
}

func (l *leaves) isLeaf(b *block) bool { return l.children[b] == 0 && !l.catalog.isBusy(b) && l.may(b) }

// next takes the block that is to be evicted first.
func (l *leaves) next() *block {
	b := heap.Pop(l).(*block)
	l.takes(b)
	if parent := l.catalog.index.Get(b.Space, b.Parent); parent != nil {
		l.children[parent]--
		if l.isLeaf(parent) {
			heap.Push(l, parent)
		}
	}
	return b
}

// Len implements heap.Interface.
func (l *leaves) Len() int { return len(l.blocks) }

// Less implements heap.Interface: blocks of tenants with too many first, pinned blocks last, then by last
// use, then by path so that the order is one.
func (l *leaves) Less(i, j int) bool {
	if x, y := l.excess[l.blocks[i].Salt] > 0, l.excess[l.blocks[j].Salt] > 0; x != y {
		return x
	}
	a, b := &l.blocks[i].Value, &l.blocks[j].Value
	if x, y := a.pinned.After(l.now), b.pinned.After(l.now); x != y {
		return y
	}
	if c := a.used.Compare(b.used); c != 0 {
		return c < 0
	}
	return a.path < b.path
}

// Swap implements heap.Interface.
func (l *leaves) Swap(i, j int) { l.blocks[i], l.blocks[j] = l.blocks[j], l.blocks[i] }

// Push implements heap.Interface.
func (l *leaves) Push(b any) { l.blocks = append(l.blocks, b.(*block)) }

// Pop implements heap.Interface.
func (l *leaves) Pop() any {
	last := l.blocks[len(l.blocks)-1]
	l.blocks = l.blocks[:len(l.blocks)-1]
	return last
}
