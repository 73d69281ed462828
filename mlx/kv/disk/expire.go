package disk

import (
	"context"
	"time"
)

// expirer evicts blocks that nobody used for the TTL.
type expirer struct {
	cfg     *Config
	catalog *catalog
	recency *recency
	evictor *evictor
	remover *remover
}

// expire evicts blocks of nobody that were not used for the TTL and that are not pinned, leaves first. A block that an agent
// owns lives as long as the agent, which may have a TTL of its own. While the owners can't be asked, no block is too old.
func (e *expirer) expire(ctx context.Context) error {
	if e.cfg.TTL <= 0 {
		return nil
	}
	now := e.cfg.Clock()
	owned, err := e.recency.askOwners(ctx, e.unused(now))
	if err != nil {
		e.cfg.Log.Debug("disk_blocks_not_expired", "error", err)
		return nil
	}
	return e.evictor.exclusively(ctx, func() error {
		victims := e.takeExpired(now, owned)
		if len(victims) == 0 {
			return nil
		}
		var bytes int64
		for _, v := range victims {
			bytes += v.physical
		}
		e.cfg.Log.Info("disk_blocks_expired", "blocks", len(victims), "bytes", bytes, "ttl", e.cfg.TTL)
		return e.remover.erase(victims, ReasonTTL)
	})
}

// unused returns the blocks that nobody used for the TTL, as far as the tier knows.
func (e *expirer) unused(now time.Time) (blocks []*block) {
	e.catalog.mu.Lock()
	defer e.catalog.mu.Unlock()
	e.catalog.index.All(func(b *block) bool {
		if e.isOld(b, now) {
			blocks = append(blocks, b)
		}
		return true
	})
	return blocks
}

func (e *expirer) isOld(b *block, now time.Time) bool {
	return now.Sub(b.Value.used) > e.cfg.TTL && !b.Value.pinned.After(now)
}

// takeExpired claims what is too old and of nobody, and takes it out of the index.
func (e *expirer) takeExpired(now time.Time, owned map[*block]bool) []victim {
	e.catalog.mu.Lock()
	defer e.catalog.mu.Unlock()
	var blocks []*block
	leaves := e.catalog.leaves(func(b *block) bool { return e.isOld(b, now) && !owned[b] })
	for leaves.Len() > 0 {
		blocks = append(blocks, leaves.next())
	}
	return e.catalog.takeBlocks(blocks)
}
