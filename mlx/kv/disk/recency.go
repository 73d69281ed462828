package disk

import (
	"context"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// recency keeps the times at which blocks were used, in memory and in the files' times, which a restart
// reads.
//
// How old a block is follows from its last use as this process saw it, from its file's time, and from the
// record of its owner: the latest of them counts, and none of them is in the future. A file's time alone says
// little: the files of a copied folder have new ones, and a wrong clock made others.
type recency struct {
	cfg     *Config
	catalog *catalog
}

// ownersAsked is the number of blocks that one question to their owners names.
const ownersAsked = 500

// askOwners asks when the owners of blocks used them last, and returns those that have one.
func (r *recency) askOwners(ctx context.Context, blocks []*block) (owned map[*block]bool, err error) {
	if r.cfg.LastUse == nil {
		return nil, nil
	}
	owned = map[*block]bool{}
	for len(blocks) > 0 {
		some := blocks[:min(len(blocks), ownersAsked)]
		blocks = blocks[len(some):]
		refs := make([]kv.Ref, len(some))
		for i, b := range some {
			refs[i] = b.Ref
		}
		uses, err := r.cfg.LastUse(ctx, refs)
		if err != nil {
			return nil, err
		}
		for i, b := range some {
			if !uses[i].IsZero() {
				owned[b] = true
			}
		}
		r.renew(some, uses)
	}
	return owned, nil
}

// renew takes over the uses that the owners of blocks know of.
func (r *recency) renew(blocks []*block, uses []time.Time) {
	now := r.cfg.Clock()
	r.catalog.mu.Lock()
	defer r.catalog.mu.Unlock()
	for i, b := range blocks {
		if used := earlier(uses[i], now); used.After(b.Value.used) {
			b.Value.used, b.Value.touched = used, true
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// correctFuture corrects the times of uses that were noted while the clock was wrong: none is in the future,
// and their order stays.
func (r *recency) correctFuture() {
	now := r.cfg.Clock()
	r.catalog.mu.Lock()
	defer r.catalog.mu.Unlock()
	ahead := r.catalog.lastUse.Sub(now)
	if ahead <= r.cfg.Sweep { // uses that differ by nanoseconds run ahead of a clock that stands
		return
	}
	r.catalog.index.All(func(b *block) bool {
		if b.Value.used.After(now) {
			b.Value.used, b.Value.touched = b.Value.used.Add(-ahead), true
		}
		return true
	})
	r.catalog.lastUse = now
}

// use notes a use of blocks and of all that they continue, and pins them until a time. A nil block is none.
func (r *recency) use(until time.Time, blocks ...*block) {
	now := r.cfg.Clock()
	r.catalog.mu.Lock()
	defer r.catalog.mu.Unlock()
	now = r.catalog.nextUse(now)
	for _, b := range blocks {
		r.touch(b, now, until)
	}
}

// nextUse returns the time now, or the first one after all uses so far: uses are ordered even if the clock
// stands still. The caller holds the lock.
func (c *catalog) nextUse(now time.Time) time.Time {
	if !now.After(c.lastUse) {
		now = c.lastUse.Add(1)
	}
	c.lastUse = now
	return now
}

// touch walks from a block to the start of its sequence, or to a block that this use has reached already. The
// caller holds the catalog's lock.
func (r *recency) touch(b *block, now, until time.Time) {
	for b != nil && !b.Value.used.Equal(now) { // a use has a time of its own
		b.Value.used, b.Value.touched = now, true
		if until.After(b.Value.pinned) {
			b.Value.pinned = until
		}
		b = r.catalog.index.Get(b.Space, b.Parent)
	}
}

// writeTimes writes the times of use to the files, so that a restart keeps the order. Nothing else depends on
// it, so it ignores failures: reads and writes meet them too.
func (r *recency) writeTimes(ctx context.Context) {
	for rel, used := range r.takeUnwritten() {
		if ctx.Err() != nil {
			return
		}
		_ = r.cfg.FS.SetModTime(r.cfg.at(rel), used)
	}
}

// takeUnwritten returns the times of use that are newer than those of the files, by path.
func (r *recency) takeUnwritten() map[string]time.Time {
	r.catalog.mu.Lock()
	defer r.catalog.mu.Unlock()
	times := map[string]time.Time{}
	r.catalog.index.All(func(b *block) bool {
		if b.Value.touched {
			times[b.Value.path] = b.Value.used
			b.Value.touched = false
		}
		return true
	})
	return times
}
