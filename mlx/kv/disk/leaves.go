package disk

import (
	"container/heap"
	"time"
)

// leaves is a heap of the blocks that have no children, in the order of eviction. Taking the last child makes
// its parent a leaf.
type leaves struct {
	blocks   []*block
	children map[*block]int
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

func (l *leaves) isLeaf(b *block) bool { return l.children[b] == 0 && !l.catalog.isBusy(b) && l.may(b) }

// next takes the block that is to be evicted first.
func (l *leaves) next() *block {
	b := heap.Pop(l).(*block)
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

// Less implements heap.Interface: pinned blocks last, then by last use, then by path so that the order is
// one.
func (l *leaves) Less(i, j int) bool {
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
