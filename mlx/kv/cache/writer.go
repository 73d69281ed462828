package cache

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

const (
	writeDeadline = time.Minute // of one store
	catchUpEvery  = time.Second // what was dropped is looked for
	catchUpBlocks = 16          // at most, each time
)

// writer writes blocks to one tier: each tier has its own queue, workers and pace.
type writer struct {
	*queue
	cfg    *Config
	events *events
	files  *fileMaker
	tier   kv.Tier
	name   string // the tier's
	index  int    // of the tier in the stack
	policy Policy
	owed   *owed
}

// enqueue has a block written to the tier, unless the pool knows that the tier has it or that it is on its way.
func (w *writer) enqueue(e kv.Entry) { w.enqueueFile(e, nil) }

// enqueueFile is enqueue for a block whose file is in memory. It tells whether the file will be written.
func (w *writer) enqueueFile(e kv.Entry, file []byte) bool {
	payer := w.cfg.Pool.Payer(e.Space, e.Key)
	if !w.cfg.Storable(e.Salt) || !w.cfg.Pool.MarkWriting(e.Space, e.Key, w.index) {
		return false
	}
	w.queue.add(&job{Entry: e, payer: payer, file: file})
	return true
}

// refusal tells why no block is written to the tier now, or nothing.
func (w *writer) refusal() string {
	stats := w.cfg.Pool.Stats()
	switch {
	case !w.tier.Status().Healthy:
		return "degraded"
	case w.isStalled():
		return "slow"
	case float64(stats.Unsaved) > w.cfg.MostUnsaved*float64(stats.Budget) || w.isCrowded():
		return "backlog"
	}
	return ""
}

// run writes what is queued until the queue is closed.
func (w *writer) run(ctx context.Context) {
	for {
		j := w.next()
		if j == nil {
			return
		}
		isDurable := w.store(ctx, j)
		w.settle(j, isDurable)
		w.cfg.Arrived()
	}
}

// store makes the block's file, writes it to the tier and tells whether the tier has it now.
func (w *writer) store(ctx context.Context, j *job) (isDurable bool) {
	ctx = kv.WithPayer(ctx, j.payer)
	file, err := w.files.file(ctx, w.index, j)
	j.nowhere = file == nil && err == nil
	if err != nil || file == nil {
		if err != nil {
			w.cfg.Log.Warn("cache_save_failed", "tier", w.name, "key", j.Key.String(), "error", err)
			w.events.dropped("export")
		}
		return false
	}
	return w.write(ctx, j, file)
}

func (w *writer) write(ctx context.Context, j *job, file []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	began := w.cfg.Clock()
	err := w.tier.Put(ctx, j.Entry, file)
	if err == nil && w.isDeleted(j) {
		w.events.failed(w.tier, "remove", w.tier.Delete(ctx, j.Ref))
		return false
	}
	if err != nil {
		if errors.Is(err, kv.ErrRefused) {
			w.noteRefused()
		}
		w.events.failed(w.tier, "store", err)
		w.events.dropped("refused")
		return false
	}
	w.events.stored(Transfer{w.name, j.Space, j.payer, int64(len(file)), w.cfg.since(began)})
	w.supersede(ctx, j.Entry)
	return true
}

// supersede removes the tails that a stored block begins with and that nobody owns: they say nothing that it
// does not.
func (w *writer) supersede(ctx context.Context, e kv.Entry) {
	browser, browses := kv.As[kv.Browser](w.tier)
	if !browses {
		return
	}
	var shorter []kv.Entry
	browser.Browse(e.Space, e.Parent, func(b kv.Branch) { shorter = b.Beginning(e) })
	for _, tail := range shorter {
		if w.cfg.Owned == nil || !w.cfg.Owned(ctx, tail.Ref) {
			w.events.failed(w.tier, "remove", w.tier.Delete(ctx, tail.Ref))
		}
	}
}

// settle tells the pool how a job ended, before anybody sees that it has.
func (w *writer) settle(j *job, isDurable bool) {
	if isDurable {
		w.cfg.Pool.MarkClean(j.Space, j.Key, w.index)
	} else {
		w.cfg.Pool.MarkDirty(j.Space, j.Key, w.index)
	}
	isLost, isDeleted := w.end(j)
	if isLost {
		w.cfg.Pool.MarkLost(j.Space, j.Key, w.index)
	}
	if !isDurable && !isDeleted && !j.nowhere && !w.cfg.Pool.Has(j.Space, j.Key) {
		w.owe(j.Ref, j.payer)
	}
}

// lost notes that the tier does not have a block that it was believed to have.
func (w *writer) lost(ref kv.Ref) {
	w.noteLost(placeOf(ref))
	w.cfg.Pool.MarkLost(ref.Space, ref.Key, w.index)
}

// catchUp writes to the tier what it was not given before, once it takes it.
func (w *writer) catchUp(ctx context.Context) {
	tick := time.NewTicker(catchUpEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if w.isStalled() {
			w.giveUpWaiting()
		}
		w.look()
		if w.isQuiet() && w.refusal() == "" {
			dirty := w.dirty()
			dirty = dirty[:min(catchUpBlocks, len(dirty))]
			for _, e := range dirty {
				w.enqueue(e)
			}
			w.payOwed(catchUpBlocks - len(dirty))
		}
	}
}

// dirty are the blocks that the tier does not have and that may be stored.
func (w *writer) dirty() []kv.Entry {
	dirty := w.cfg.Pool.Dirty(w.index, w.policy.OnlyWanted)
	return slices.DeleteFunc(dirty, func(e kv.Entry) bool { return !w.cfg.Storable(e.Salt) })
}

// giveUpWaiting gives up what waits to be stored, so that it no longer counts as in use.
func (w *writer) giveUpWaiting() {
	for _, j := range w.drop() {
		w.cfg.Pool.MarkDirty(j.Space, j.Key, w.index)
		if !w.cfg.Pool.Has(j.Space, j.Key) {
			w.owe(j.Ref, j.payer)
		}
		w.events.dropped("slow")
	}
}
