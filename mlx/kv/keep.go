package kv

import (
	"cmp"
	"slices"
	"time"
)

// Pend marks a sealed block as on its way to a lower tier: until Settle it is given up last and counts as busy. It
// reports false if there is no such block, or if it is durable or pending already.
func (p *Pool) Pend(s Space, k Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	there := p.sealed.Get(s, k)
	if there == nil || there.Value.kept != unkept {
		return false
	}
	there.Value.kept = pending
	p.shelve(there.Value)
	return true
}

// Settle ends what Pend began, and tells whether a lower tier has the block now.
func (p *Pool) Settle(s Space, k Key, isDurable bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	there := p.sealed.Get(s, k)
	if there == nil {
		return
	}
	if there.Value.kept = unkept; isDurable {
		there.Value.kept = durable
	}
	p.shelve(there.Value)
}

// Lose notes that no lower tier has the block any more, if one was known to have it: it counts as never stored.
func (p *Pool) Lose(s Space, k Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there := p.sealed.Get(s, k); there != nil && there.Value.kept == durable {
		there.Value.kept = unkept
	}
}

// Arrived marks a sealed block as one that came from a lower tier, ahead of its use.
func (p *Pool) Arrived(b *Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mustUse(b)
	b.kept, b.fetched = durable, true
}

// Entry tells by what a sealed block is found, and false if it has been forgotten meanwhile.
func (p *Pool) Entry(b *Block) (e Entry, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mustUse(b)
	if b.sealed == nil {
		return e, false
	}
	return b.sealed.Entry, true
}

// Has tells whether the block can be found.
func (p *Pool) Has(s Space, k Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sealed.Get(s, k) != nil
}

// Unkept are sealed blocks, at most n, that no lower tier is known to have and that are not on their way there, those
// used last first.
func (p *Pool) Unkept(n int) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	var blocks []*Block
	for b := range p.used {
		if b.sealed != nil && b.kept == unkept {
			blocks = append(blocks, b)
		}
	}
	slices.SortFunc(blocks, func(a, b *Block) int { return cmp.Compare(b.lastUse, a.lastUse) })
	entries := make([]Entry, 0, min(n, len(blocks)))
	for _, b := range blocks[:min(n, len(blocks))] {
		entries = append(entries, b.sealed.Entry)
	}
	return entries
}

// Retain gives the block up after others until the given time; zero ends that.
func (p *Pool) Retain(s Space, k Key, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there := p.sealed.Get(s, k); there != nil {
		there.Value.keep = until
		p.shelve(there.Value)
	}
}

// DropLeaf frees a sealed block that nobody uses and that no other block continues. It reports whether it did.
func (p *Pool) DropLeaf(s Space, k Key) bool {
	b := p.unlink(func() *Block {
		there := p.sealed.Get(s, k)
		if there == nil || there.Value.refs > 0 || len(p.sealed.Children(s, k)) > 0 {
			return nil
		}
		return there.Value
	})
	if b != nil {
		p.free(b)
	}
	return b != nil
}

// Forget makes a sealed block impossible to find, used or not; its memory is freed with its last reference.
func (p *Pool) Forget(s Space, k Key) bool {
	p.mu.Lock()
	there := p.sealed.Get(s, k)
	if there == nil {
		p.mu.Unlock()
		return false
	}
	b := there.Value
	if b.refs > 0 {
		p.sealed.Remove(s, k)
		b.sealed, b.kept = nil, unkept
	} else {
		p.forget(b)
	}
	idle := b.refs == 0
	p.mu.Unlock()
	if idle {
		p.free(b)
	}
	return true
}

// Lookup answers a query as Tier.Lookup does. A block counts with what it takes in the pool.
func (p *Pool) Lookup(q Query) [][]Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.sealed.Lookup(q)
	for i := range found {
		for j := range found[i] {
			b := p.sealed.Get(q.Space, found[i][j].Key).Value
			found[i][j].Bytes, found[i][j].Used = p.cfg.BlockBytes, b.usedAt
		}
	}
	return found
}

// BlockBytes is what a block takes in the pool.
func (p *Pool) BlockBytes() int64 { return p.cfg.BlockBytes }
