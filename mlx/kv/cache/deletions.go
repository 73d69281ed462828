package cache

import "github.com/agent-memory/agent-memory/mlx/kv"

// deletions are the blocks that are being deleted everywhere, and the salts of which all are, each with how many do so.
// What was on its way before, up or down, and what sets out meanwhile, is removed where it arrives: it may come from a
// tier whose turn is yet to come. The cache's lock guards them.
type deletions struct {
	blocks map[place]int
	salts  map[kv.SaltID]int
}

func newDeletions() deletions { return deletions{map[place]int{}, map[kv.SaltID]int{}} }

func (d deletions) begin(at place) { d.blocks[at]++ }

func (d deletions) end(at place) { countDown(d.blocks, at) }

func (d deletions) beginSalt(salt kv.SaltID) { d.salts[salt]++ }

func (d deletions) endSalt(salt kv.SaltID) { countDown(d.salts, salt) }

func countDown[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

func (d deletions) has(at place) bool { return d.blocks[at] > 0 || d.salts[at.Salt] > 0 }
