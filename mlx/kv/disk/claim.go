package disk

import (
	"context"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// claim waits until the path has no owner and makes the caller its owner.
func (t *Tier) claim(ctx context.Context, rel string) error {
	for {
		owned := t.tryClaim(rel)
		if owned == nil {
			return nil
		}
		select {
		case <-owned:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryClaim returns what the present owner closes, or nil if the caller is the owner now.
func (t *Tier) tryClaim(rel string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if owned := t.claims[rel]; owned != nil {
		return owned
	}
	t.claims[rel] = make(chan struct{})
	return nil
}

func (t *Tier) release(rel string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.claims[rel])
	delete(t.claims, rel)
}

// pin finds a block and keeps it from being evicted until unpin. It returns nil if the index has none.
func (t *Tier) pin(s kv.Space, k kv.Key) *block {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.index.Get(s, k)
	if b != nil {
		b.Value.readers++
	}
	return b
}

func (t *Tier) unpin(b *block) {
	if b == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b.Value.readers--
}

// isBusy tells whether a block must not be evicted now. The caller holds the lock.
func (t *Tier) isBusy(b *block) bool { return b.Value.readers > 0 || t.claims[b.Value.path] != nil }

// use notes a use of blocks and of all that they continue.
func (t *Tier) use(until time.Time, blocks ...*block) {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	now = t.after(now)
	for _, b := range blocks {
		t.touch(b, now, until)
	}
}

// after returns the time, or the first one after all uses so far: uses are ordered even if the clock stands still.
// The caller holds the lock.
func (t *Tier) after(now time.Time) time.Time {
	if !now.After(t.last) {
		now = t.last.Add(1)
	}
	t.last = now
	return now
}

// touch walks from a block to the sequence's start, as far as it has not been there at this use.
func (t *Tier) touch(b *block, now, until time.Time) {
	for b != nil && b.Value.used.Before(now) {
		b.Value.used, b.Value.touched = now, true
		if until.After(b.Value.keep) {
			b.Value.keep = until
		}
		b = t.index.Get(b.Space, b.Parent)
	}
}

// Keep implements kv.Tier. The time reaches the file in one of Run's rounds; the wish is forgotten at the end of
// the process. Of several wishes the longest counts.
func (t *Tier) Keep(entries []kv.Entry, until time.Time) {
	blocks := make([]*block, 0, len(entries))
	t.mu.Lock()
	for _, e := range entries {
		if b := t.index.Get(e.Space, e.Key); b != nil {
			blocks = append(blocks, b)
		}
	}
	t.mu.Unlock()
	t.use(until, blocks...)
}
