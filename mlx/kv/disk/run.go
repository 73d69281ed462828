package disk

import (
	"context"
	"errors"
	"time"
)

// Run does the work that nobody waits for, until the context ends: it indexes what is there, evicts what
// outlived its TTL, keeps to the budget and the floor of free space, writes the times of use to the files,
// and probes a disk that failed until it works. It returns nil; failures show in Status.
func (t *Tier) Run(ctx context.Context) error {
	defer t.recency.writeTimes(context.WithoutCancel(ctx))
	_ = t.prepare(ctx) // a failure degrades the tier, and probing tries again
	round := time.NewTicker(t.cfg.Sweep)
	defer round.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.alarm.wake:
			if t.health.isDegraded() {
				t.heal(ctx)
			}
			t.reconciler.reconcile(ctx)
		case <-round.C:
			t.sweep(ctx)
		}
	}
}

// heal probes until the disk works, waiting twice as long each time, and then goes on with the start if that
// failed.
func (t *Tier) heal(ctx context.Context) {
	for wait := t.cfg.ProbeMin; t.health.isDegraded() && sleep(ctx, wait); wait = min(2*wait, t.cfg.ProbeMax) {
		if t.prober.probe(ctx) == nil && !isClosed(t.indexed) {
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

// sweep is one round of housekeeping. It leaves a degraded tier alone.
func (t *Tier) sweep(ctx context.Context) {
	if t.health.isDegraded() || t.prepare(ctx) != nil {
		return
	}
	t.reconciler.reconcile(ctx)
	t.recency.correctFuture()
	t.recency.writeTimes(ctx)
	if t.expirer.expire(ctx) == nil {
		t.folders.removeEmpty()
	}
}

// prepare takes over what an earlier process left: it deletes unfinished files and counts all bytes; from
// then on the tier takes stores. Then it enters the blocks one by one. Called again after a failure it goes
// on where that was.
func (t *Tier) prepare(ctx context.Context) error {
	if err := t.ownership.require("take the folder"); err != nil {
		return err
	}
	if !isClosed(t.catalog.counted) {
		if err := t.counter.count(ctx); err != nil {
			return t.health.fail("count what is in the folder", 0, err)
		}
	}
	if err := t.indexer.indexAll(ctx); err != nil {
		return err
	}
	if !isClosed(t.indexed) {
		_, _ = t.recency.askOwners(ctx, t.catalog.blocks()) // for the order; before anything expires they are asked again
		close(t.indexed)
		status := t.Status()
		t.cfg.Log.Info("disk_tier_indexed", "blocks", status.Blocks, "bytes", status.Bytes, "budget", status.Budget)
	}
	return errors.Join(t.quarantine.bound(), t.evictor.trim(ctx, 0))
}
