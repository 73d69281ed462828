package kv

import (
	"container/heap"
	"fmt"
	"time"
)

// shelves hold the idle blocks, one heap for each rank: the first to be given up is on top. Pool.mu guards them.
type shelves [ranks]shelf

// shelf is a heap of idle blocks of one rank: of retained ones the one to be kept the shortest is on top, of the others
// the one used longest ago.
type shelf struct {
	rank   rank
	blocks []*Block
}

// Len implements heap.Interface.
func (s *shelf) Len() int { return len(s.blocks) }

// Less implements heap.Interface.
func (s *shelf) Less(i, j int) bool {
	a, b := s.blocks[i], s.blocks[j]
	if c := a.keep.Compare(b.keep); s.rank == rankRetained && c != 0 {
		return c < 0
	}
	return a.lastUse < b.lastUse
}

// Swap implements heap.Interface.
func (s *shelf) Swap(i, j int) {
	s.blocks[i], s.blocks[j] = s.blocks[j], s.blocks[i]
	s.blocks[i].at, s.blocks[j].at = i, j
}

// Push implements heap.Interface.
func (s *shelf) Push(b any) {
	b.(*Block).at = len(s.blocks)
	s.blocks = append(s.blocks, b.(*Block))
}

// Pop implements heap.Interface.
func (s *shelf) Pop() any {
	last := len(s.blocks) - 1
	b := s.blocks[last]
	s.blocks[last] = nil
	s.blocks = s.blocks[:last]
	return b
}

// shelve puts a block where it belongs after something about it changed: on the shelf of its rank if it is idle, on
// none if not. The caller holds mu.
func (p *Pool) shelve(b *Block) {
	if b.shelf != nil {
		heap.Remove(b.shelf, b.at)
		b.shelf = nil
	}
	if _, used := p.used[b]; !used || b.refs > 0 || b.sealed == nil {
		return
	}
	r := p.rank(b, p.cfg.Clock())
	b.shelf = &p.shelves[r]
	b.shelf.rank = r
	heap.Push(b.shelf, b)
}

// victim is the idle block to give up next, or nil. The caller holds mu.
func (p *Pool) victim(most rank, fetchedToo bool) *Block {
	p.release(p.cfg.Clock())
	for r := range most + 1 {
		if s := &p.shelves[r]; s.Len() > 0 && (r != rankFetched || fetchedToo) {
			return s.blocks[0]
		}
	}
	return nil
}

// release moves blocks whose retention is over. The caller holds mu.
func (p *Pool) release(now time.Time) {
	retained := &p.shelves[rankRetained]
	for retained.Len() > 0 && !retained.blocks[0].keep.After(now) {
		p.shelve(retained.blocks[0])
	}
}

// checkShelves verifies that exactly the idle blocks are on shelves, each on the right one. The caller holds mu.
func (p *Pool) checkShelves() error {
	p.release(p.cfg.Clock())
	idle, now := 0, p.cfg.Clock()
	for b := range p.used {
		if b.refs > 0 {
			if b.shelf != nil {
				return fmt.Errorf("kv pool: a block with %d references counts as idle", b.refs)
			}
			continue
		}
		idle++
		if want := p.rank(b, now); b.shelf != &p.shelves[want] || b.shelf.blocks[b.at] != b {
			return fmt.Errorf("kv pool: the idle block %s of rank %d is not where it is looked for", b.sealed.Key, want)
		}
	}
	for i := range p.shelves {
		idle -= p.shelves[i].Len()
	}
	if idle != 0 {
		return fmt.Errorf("kv pool: %d idle blocks too few on the shelves", idle)
	}
	return nil
}
