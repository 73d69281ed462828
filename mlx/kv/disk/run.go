package disk

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"
)

// Run does the work that nobody waits for, until the context ends: it indexes what is there, gives up what outlived
// its TTL, holds budget and floor, writes down the times of use, and tries a disk that failed until it works. It
// returns nil; failures show in Status.
func (t *Tier) Run(ctx context.Context) error {
	defer t.writeTimes(context.WithoutCancel(ctx))
	_ = t.prepare(ctx) // a failure degrades the tier, and probing tries again
	sweep := time.NewTicker(t.cfg.Sweep)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.ailing:
			t.recover(ctx)
		case <-sweep.C:
			t.keepHouse(ctx)
		}
	}
}

// recover probes until the disk works, waiting twice as long each time, and then finishes what it could not do.
func (t *Tier) recover(ctx context.Context) {
	for wait := t.cfg.ProbeMin; t.isDegraded() && sleep(ctx, wait); wait = min(2*wait, t.cfg.ProbeMax) {
		if t.probe(ctx) == nil && !isClosed(t.indexed) {
			_ = t.prepare(ctx)
		}
	}
}

// sleep tells whether the time passed before the context ended.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// keepHouse is one round of what is due from time to time. A degraded tier is left alone.
func (t *Tier) keepHouse(ctx context.Context) {
	if t.isDegraded() || t.prepare(ctx) != nil {
		return
	}
	t.writeTimes(ctx)
	if t.expire(ctx) == nil {
		t.removeEmptyFolders()
	}
}

// trim evicts as far as budget and floor demand for more room, even if that is not enough.
func (t *Tier) trim(ctx context.Context, room int64) error {
	return t.inTurn(ctx, func() error { return t.makeRoom(room, true) })
}

// inTurn runs what only one may do at a time: evicting.
func (t *Tier) inTurn(ctx context.Context, evict func() error) error {
	select {
	case <-t.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { t.turn <- struct{}{} }()
	return evict()
}

// expire gives up blocks that nobody used for the TTL and nobody wants to keep, leaves first.
func (t *Tier) expire(ctx context.Context) error {
	if t.cfg.TTL <= 0 {
		return nil
	}
	now := t.cfg.Clock()
	return t.inTurn(ctx, func() error { return t.erase(t.expired(now), ReasonTTL) })
}

func (t *Tier) expired(now time.Time) []victim {
	t.mu.Lock()
	defer t.mu.Unlock()
	var blocks []*block
	leaves := t.leaves(func(b *block) bool {
		return now.Sub(b.Value.used) > t.cfg.TTL && !b.Value.keep.After(now)
	})
	for leaves.Len() > 0 {
		blocks = append(blocks, leaves.next())
	}
	return t.takeBlocks(blocks)
}

// writeTimes puts the times of use into the files, so that a restart keeps the order. Nothing depends on it, so a
// failure is left to those who read and write.
func (t *Tier) writeTimes(ctx context.Context) {
	for rel, used := range t.takeTouched() {
		if ctx.Err() != nil {
			return
		}
		_ = t.cfg.FS.SetModTime(t.at(rel), used)
	}
}

func (t *Tier) takeTouched() map[string]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	times := map[string]time.Time{}
	t.index.All(func(b *block) bool {
		if b.Value.touched {
			times[b.Value.path] = b.Value.used
			b.Value.touched = false
		}
		return true
	})
	return times
}

// removeEmptyFolders gives back what folders take that hold no block any more. A store that is about to use one
// makes it again.
func (t *Tier) removeEmptyFolders() {
	for _, dir := range t.emptyFolders() {
		if t.cfg.FS.Remove(t.at(dir)) == nil && t.syncDir(path.Dir(dir)) == nil {
			t.setDurable(dir, false)
			t.measure(dir)
		}
	}
}

// emptyFolders are those below the version in which no known file lies, deepest first.
func (t *Tier) emptyFolders() (empty []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	full := map[string]bool{}
	note := func(rel string) {
		for _, dir := range foldersOf(rel) {
			full[dir] = true
		}
	}
	t.index.All(func(b *block) bool { note(b.Value.path); return true })
	for rel := range t.ledger.loose {
		note(rel)
	}
	for rel := range t.claims {
		note(rel)
	}
	for dir, f := range t.ledger.folders {
		if strings.HasPrefix(dir, currentVersion+"/") && f.physical > 0 && !full[dir] {
			empty = append(empty, dir)
		}
	}
	slices.SortFunc(empty, func(a, b string) int { return len(b) - len(a) })
	return empty
}
