package disk

import (
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// victim is a file to be deleted. Its path is claimed, and the index doesn't know it any more.
type victim struct {
	path     string
	physical int64
}

// choose takes files for a shortage out of the index and claims them: first orphans that may go, such as
// other versions' files, then leaves of tenants that have more than their share, then others, each by last
// use. It takes none if all that may go is not enough, unless partly is set. The caller holds the lock.
func (e *evictor) choose(short shortage, partly bool) []victim {
	var sum int64
	enough := func() bool { return sum >= short.better }
	files := e.catalog.evictableOrphans()
	for i, rel := range files {
		if enough() {
			files = files[:i]
			break
		}
		sum += e.catalog.ledger.orphans[rel].physical
	}
	var blocks []*block
	leaves := e.catalog.leavesBeyond(e.excess())
	for leaves.Len() > 0 && !enough() {
		b := leaves.next()
		blocks = append(blocks, b)
		sum += b.Value.physical
	}
	if sum < short.least && !partly {
		return nil
	}
	return slices.Concat(e.catalog.claimOrphans(files), e.catalog.takeBlocks(blocks))
}

// excess is how many bytes tenants have beyond their share; those that have not are missing. The caller holds
// the lock.
func (e *evictor) excess() map[kv.SaltID]int64 {
	if e.cfg.Share <= 0 || e.cfg.Share >= 1 {
		return nil
	}
	share, beyond := int64(e.cfg.Share*float64(e.cfg.Budget)), map[kv.SaltID]int64{}
	e.catalog.index.All(func(b *block) bool {
		beyond[b.Salt] += b.Value.physical
		return true
	})
	for salt := range beyond {
		if beyond[salt] -= share; beyond[salt] <= 0 {
			delete(beyond, salt)
		}
	}
	return beyond
}

// evictableOrphans returns the orphans that may go, oldest first. The caller holds the lock.
func (c *catalog) evictableOrphans() (files []string) {
	for rel, file := range c.ledger.orphans {
		if file.evictFirst && c.claims[rel] == nil {
			files = append(files, rel)
		}
	}
	slices.SortFunc(files, c.ledger.byAge)
	return files
}

// claimOrphans claims orphans. They stay in the ledger until they are gone. The caller holds the lock.
func (c *catalog) claimOrphans(files []string) (victims []victim) {
	for _, rel := range files {
		c.claims[rel] = make(chan struct{})
		victims = append(victims, victim{path: rel})
	}
	return victims
}

// takeBlocks claims blocks and takes them out of the index. The caller holds the lock.
func (c *catalog) takeBlocks(blocks []*block) (victims []victim) {
	for _, b := range blocks {
		c.claims[b.Value.path] = make(chan struct{})
		c.index.Remove(b.Space, b.Key)
		victims = append(victims, victim{path: b.Value.path, physical: b.Value.physical})
	}
	return victims
}
