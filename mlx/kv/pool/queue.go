package pool

import (
	"cmp"
	"container/heap"
	"fmt"
	"time"
)

// evictionQueues hold the idle blocks, one heap for each priority. The pool's lock guards them.
type evictionQueues [priorities]evictionQueue

// evictionQueue is a heap of idle blocks of one priority, the first to be evicted on top: of pinned ones the
// one that is pinned the shortest, of the others the one used longest ago.
type evictionQueue struct {
	priority priority
	blocks   []*Block
}

// Len implements heap.Interface.
func (q *evictionQueue) Len() int { return len(q.blocks) }

// Less implements heap.Interface.
func (q *evictionQueue) Less(i, j int) bool { return q.compare(q.blocks[i], q.blocks[j]) < 0 }

func (q *evictionQueue) compare(a, b *Block) int {
	if c := a.pinned.Compare(b.pinned); q.priority == pinned && c != 0 {
		return c
	}
	return cmp.Compare(a.lastUse, b.lastUse)
}

// Swap implements heap.Interface.
func (q *evictionQueue) Swap(i, j int) {
	q.blocks[i], q.blocks[j] = q.blocks[j], q.blocks[i]
	q.blocks[i].at, q.blocks[j].at = i, j
}

// Push implements heap.Interface.
func (q *evictionQueue) Push(b any) {
	b.(*Block).at = len(q.blocks)
	q.blocks = append(q.blocks, b.(*Block))
}

// Pop implements heap.Interface.
func (q *evictionQueue) Pop() any {
	last := len(q.blocks) - 1
	b := q.blocks[last]
	q.blocks[last] = nil
	q.blocks = q.blocks[:last]
	return b
}

// add puts an idle block into the queue of its priority.
func (s *evictionQueues) add(b *Block, now time.Time) {
	r := b.priority(now)
	b.queue = &s[r]
	b.queue.priority = r
	heap.Push(b.queue, b)
}

// remove takes a block out of the queue that it is in, if any.
func (s *evictionQueues) remove(b *Block) {
	if b.queue != nil {
		heap.Remove(b.queue, b.at)
		b.queue = nil
	}
}

// victim is the idle block to evict next, of at most the given priority, or nil. Those of which it is told
// that they go first do so, unless they would be lost.
func (s *evictionQueues) victim(last priority, fetchedToo bool, now time.Time, goesFirst func(*Block) bool) *Block {
	s.unpin(now)
	if goesFirst != nil {
		if b := s.foremost(min(last, pinned), fetchedToo, goesFirst); b != nil {
			return b
		}
	}
	for r := range last + 1 {
		if q := &s[r]; q.Len() > 0 && (r != fetchedFirst || fetchedToo) {
			return q.blocks[0]
		}
	}
	return nil
}

// foremost is the block to evict next of those of which it is told.
func (s *evictionQueues) foremost(last priority, fetchedToo bool, is func(*Block) bool) (first *Block) {
	for r := range last + 1 {
		for _, b := range s[r].blocks {
			if (r != fetchedFirst || fetchedToo) && is(b) && (first == nil || s[r].compare(b, first) < 0) {
				first = b
			}
		}
		if first != nil {
			return first
		}
	}
	return nil
}

// unpin moves the blocks whose pins have ended.
func (s *evictionQueues) unpin(now time.Time) {
	q := &s[pinned]
	for q.Len() > 0 && !q.blocks[0].pinned.After(now) {
		b := q.blocks[0]
		s.remove(b)
		s.add(b, now)
	}
}

// check verifies that exactly the idle ones of the blocks are queued, each in the right queue.
func (s *evictionQueues) check(blocks map[*Block]struct{}, now time.Time) error {
	s.unpin(now)
	idle := 0
	for b := range blocks {
		if b.refs > 0 {
			if b.queue != nil {
				return fmt.Errorf("kv pool: a block with %d references counts as idle", b.refs)
			}
			continue
		}
		idle++
		if want := b.priority(now); b.queue != &s[want] || b.queue.blocks[b.at] != b {
			return fmt.Errorf("kv pool: the idle block %s of priority %d is in another queue", b.published.Key, want)
		}
	}
	for i := range s {
		idle -= s[i].Len()
	}
	if idle != 0 {
		return fmt.Errorf("kv pool: %d idle blocks too few in the queues", idle)
	}
	return nil
}
