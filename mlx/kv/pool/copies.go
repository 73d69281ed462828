package pool

import (
	"cmp"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Tiers is a set of tiers by their place in the stack, the fastest first.
type Tiers uint32

// TierSet is the set of the given tiers.
func TierSet(tiers ...int) (set Tiers) {
	for _, i := range tiers {
		set |= 1 << i
	}
	return set
}

// Has tells whether a tier is in the set.
func (t Tiers) Has(tier int) bool { return t&TierSet(tier) != 0 }

// copies is what is known of a published block's copies: for each tier it is clean (the tier said that it has it),
// being written, or else dirty.
type copies struct {
	clean   Tiers
	writing Tiers
}

// isUnsaved tells whether the block is on its way to a tier and in none yet.
func (c copies) isUnsaved() bool { return c.writing != 0 && c.clean == 0 }

// copyStates are what the pool knows of its blocks' copies in the tiers.
type copyStates struct{ *state }

// MarkWriting notes that a published block is being written to a tier, until MarkClean or MarkDirty. While no
// tier has it, it counts as busy and is evicted last. It reports false if there is no such block, or if it is
// not dirty there.
func (m *copyStates) MarkWriting(s kv.Space, k kv.Key, tier int) bool {
	return m.mark(s, k, func(c *copies) bool {
		if (c.clean | c.writing).Has(tier) {
			return false
		}
		c.writing |= TierSet(tier)
		return true
	})
}

// MarkClean notes that a tier has the block, which ends a writing.
func (m *copyStates) MarkClean(s kv.Space, k kv.Key, tier int) {
	m.mark(s, k, func(c *copies) bool {
		c.clean, c.writing = c.clean|TierSet(tier), c.writing&^TierSet(tier)
		return true
	})
}

// MarkDirty notes that a tier does not have the block, which ends a writing.
func (m *copyStates) MarkDirty(s kv.Space, k kv.Key, tier int) {
	m.mark(s, k, func(c *copies) bool {
		c.clean, c.writing = c.clean&^TierSet(tier), c.writing&^TierSet(tier)
		return true
	})
}

// MarkLost notes that a tier does not have the block any more. A writing under way goes on.
func (m *copyStates) MarkLost(s kv.Space, k kv.Key, tier int) {
	m.mark(s, k, func(c *copies) bool {
		c.clean &^= TierSet(tier)
		return true
	})
}

// MarkFetched notes that the block, which the caller holds, came from a tier ahead of its use, and which tiers
// have it.
func (m *copyStates) MarkFetched(b *Block, clean Tiers) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mustHave(b)
	b.copies.clean |= clean
	b.fetched = true
	b.uses++
}

func (m *copyStates) mark(s kv.Space, k kv.Key, change func(*copies) bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.published(s, k)
	if b == nil || !change(&b.copies) {
		return false
	}
	m.requeue(b)
	return true
}

// MarkOwned notes that a published block is an agent's.
func (m *copyStates) MarkOwned(s kv.Space, k kv.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.published(s, k); b != nil {
		b.owned = true
	}
}

// Dirty are the published blocks that a tier is not known to have and that are not being written to it, those used
// last first; on demand only those that an agent owns or that were used again.
func (m *copyStates) Dirty(tier int, onlyWanted bool) []kv.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	var blocks []*Block
	for b := range m.all {
		if b.published != nil && !(b.copies.clean | b.copies.writing).Has(tier) && (!onlyWanted || b.isWanted()) {
			blocks = append(blocks, b)
		}
	}
	slices.SortFunc(blocks, func(a, b *Block) int { return cmp.Compare(b.lastUse, a.lastUse) })
	entries := make([]kv.Entry, len(blocks))
	for i, b := range blocks {
		entries[i] = b.published.Entry
	}
	return entries
}

// Clean are the tiers that are known to have a block of the pool, and false if the pool does not have it.
func (m *copyStates) Clean(s kv.Space, k kv.Key) (clean Tiers, inPool bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.published(s, k)
	if b == nil {
		return 0, false
	}
	return b.copies.clean, true
}
