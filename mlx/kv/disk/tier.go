package disk

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Put implements kv.Tier. It may evict other blocks first, and takes as long as the disk does: the context
// ends its waiting for a claim or the eviction lock, not I/O.
func (t *Tier) Put(ctx context.Context, e kv.Entry, data []byte) error {
	rel := e.Path()
	if err := t.catalog.claim(ctx, rel); err != nil {
		return fmt.Errorf("store block %s: %w", e.Key, err)
	}
	defer t.catalog.unclaim(rel)
	if err := t.ownership.ensure(); err != nil {
		if refused := t.writer.refusal(); refused != nil {
			return fmt.Errorf("store block %s: %w", e.Key, refused)
		}
		return t.health.fail("store block "+e.Key.String(), int64(len(data)), err)
	}
	if t.writer.isStored(e, rel) {
		return nil
	}
	t.writer.waitCounted(ctx)
	if err := t.writer.refusal(); err != nil {
		return fmt.Errorf("store block %s: %w", e.Key, err)
	}
	parent := t.catalog.acquire(e.Space, e.Parent)
	defer t.catalog.release(parent)
	t.recency.use(time.Time{}, parent)
	return t.writer.write(ctx, e, rel, data)
}

// Get implements kv.Tier. It finds a block by its path, in the index or not.
func (t *Tier) Get(ctx context.Context, e kv.Ref, buf []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read block %s: %w", e.Key, err)
	}
	held := t.catalog.acquire(e.Space, e.Key)
	defer t.catalog.release(held)
	data, err := t.reader.load(e.Path(), held, buf)
	if isGone(err) {
		t.reconciler.forgetVanished(held)
		if held != nil {
			t.alarm.reportMissing()
		}
		return nil, fmt.Errorf("read block %s: %w", e.Key, kv.ErrNotFound)
	}
	if errors.Is(err, kv.ErrDamaged) || errors.Is(err, kv.ErrVersion) {
		return nil, fmt.Errorf("read block %s: %w", e.Key, err)
	}
	if err != nil {
		return nil, t.health.fail("read block "+e.Key.String(), 0, err)
	}
	return data, nil
}

// Lookup implements kv.Tier from memory. While the folder is still being indexed it looks at the disk for
// expected blocks that it doesn't know yet, up to the first that isn't there.
func (t *Tier) Lookup(ctx context.Context, refs []kv.Ref) ([]kv.Copy, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("look up blocks: %w", err)
	}
	if !isClosed(t.indexed) {
		t.lookAhead(ctx, refs)
	}
	return t.catalog.lookup(refs), nil
}

// lookAhead enters expected full blocks into the index before prepare comes to them.
func (t *Tier) lookAhead(ctx context.Context, refs []kv.Ref) {
	for _, ref := range refs {
		if ctx.Err() != nil || ref.Full() && !t.catalog.has(ref.Space, ref.Key) && !t.indexer.index(ctx, ref.Path()) {
			return
		}
	}
}

// Browse implements kv.Browser from memory.
func (t *Tier) Browse(s kv.Space, parent kv.Key, visit func(kv.Branch)) {
	t.catalog.browse(s, parent, visit)
}

// Touch implements kv.Toucher. The time reaches the file in one of Run's rounds. The pin is forgotten at the
// end of the process; of several pins the longest counts.
func (t *Tier) Touch(refs []kv.Ref, until time.Time) { t.recency.use(until, t.catalog.find(refs)...) }

// Delete implements kv.Tier. It also deletes what the quarantine holds of the block. It works while the tier
// is degraded, as far as the disk does.
func (t *Tier) Delete(ctx context.Context, e kv.Ref) error {
	rel := e.Path()
	if err := t.catalog.claim(ctx, rel); err != nil {
		return fmt.Errorf("remove block %s: %w", e.Key, err)
	}
	defer t.catalog.unclaim(rel)
	if err := t.ownership.require("remove block " + e.Key.String()); err != nil {
		return err
	}
	t.catalog.orphanBlock(e.Space, e.Key)
	err := t.remover.unlink(rel, ReasonDeleted)
	if err == nil {
		err = t.quarantine.removeBlock(path.Base(rel))
	}
	if err != nil {
		return t.health.fail("remove block "+e.Key.String(), 0, err)
	}
	return nil
}

// Quarantine implements kv.Quarantiner.
func (t *Tier) Quarantine(ctx context.Context, e kv.Ref, cause error) error {
	return t.quarantine.take(ctx, e, cause)
}

// Quarantined implements kv.Quarantiner. The quarantine is bounded, so this forgets.
func (t *Tier) Quarantined(e kv.Ref) bool { return t.quarantine.has(e) }

// Status implements kv.Tier. A slow disk shows in Problem, and stays healthy: nothing is lost.
func (t *Tier) Status() kv.TierStatus {
	healthy, problem := t.health.report()
	blocks, bytes := t.catalog.count()
	return kv.TierStatus{
		Name:     t.Name(),
		Healthy:  healthy,
		Problem:  problem,
		Indexing: !isClosed(t.indexed),
		Blocks:   blocks,
		Bytes:    bytes,
		Budget:   t.cfg.Budget,
	}
}

// Name implements kv.Tier.
func (t *Tier) Name() string { return tierName }

// WaitIndexed waits until all blocks that were in the folder at the start can be found.
func (t *Tier) WaitIndexed(ctx context.Context) error {
	select {
	case <-t.indexed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
