package agents

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Bounds of the writing of one record.
const (
	readWriteTimeout = time.Second            // how long somebody who reads waits for what is noted of an agent to be written
	maxConflicts     = 12                     // how often a change is tried again because somebody else's came between
	minConflictPause = 2 * time.Millisecond   // before the second try; the pauses grow and are drawn by chance up to the
	maxConflictPause = 200 * time.Millisecond // longest, so that those who collide part
)

// writer writes what is noted behind the back of those who noted it. Each record has one writer at a time;
// different records don't wait for each other.
type writer struct {
	notedUses
	cfg        Settings
	conn       *connection
	superseded *supersededTails

	states     sync.Mutex
	writing    map[ref]chan struct{} // closed when the agent's record is written
	failedLast map[ref]bool          // records that could not be written the last time: they are tried after the others
	lostBlocks map[ref]bool          // some of the agent's blocks were being removed when its record was to be written
}

func newWriter(cfg Settings, conn *connection) *writer {
	return &writer{
		cfg: cfg, conn: conn, superseded: &supersededTails{},
		writing: map[ref]chan struct{}{}, failedLast: map[ref]bool{}, lostBlocks: map[ref]bool{},
	}
}

// writeAll writes all that is noted, and reports false if something could not be written. A record that can't
// be written keeps no other from being: it is tried last, and after two failures in a row the store is taken
// to be at fault.
func (w *writer) writeAll(ctx context.Context) bool {
	store, err := w.conn.reopen(ctx)
	if err != nil {
		return false
	}
	failures, failed := 0, false
	for _, at := range w.writeOrder() {
		err := w.writeNoted(ctx, store, at)
		if err == nil {
			failures = 0
			continue
		}
		failed = true
		if errors.Is(err, ErrUnnoticed) { // the janitor takes notice soon
			continue
		}
		if isCancelled(ctx) {
			return false
		}
		if failures++; failures > 1 || ctx.Err() != nil {
			w.conn.reportFailure(err)
			return false
		}
	}
	if !failed {
		w.conn.reportHealed()
	}
	return !failed
}

// writeSoon writes what is noted of one agent, for those who read it: within a bound, and not at all while
// the store is known to fail.
func (w *writer) writeSoon(ctx context.Context, at ref) {
	if w.conn.isBroken() || len(w.of(at)) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readWriteTimeout)
	defer cancel()
	if store, err := w.conn.ask(ctx); err == nil {
		_ = w.writeNoted(ctx, store, at) // it stays noted, and Run tries again
	}
}

// writeOrder returns the agents with uses that are not written yet, those that failed the last time at the
// end.
func (w *writer) writeOrder() (refs []ref) {
	refs = w.refs()
	w.states.Lock()
	defer w.states.Unlock()
	slices.SortFunc(refs, func(a, b ref) int {
		if w.failedLast[a] != w.failedLast[b] {
			if w.failedLast[a] {
				return 1
			}
			return -1
		}
		return a.compare(b)
	})
	return refs
}

// writeNoted writes what is noted of an agent, once whoever writes it now is done.
func (w *writer) writeNoted(ctx context.Context, store Store, at ref) error {
	done, err := w.claim(ctx, at)
	if err != nil {
		return err
	}
	defer done()
	uses := w.of(at)
	if len(uses) == 0 {
		return nil
	}
	err = w.write(ctx, store, at, uses)
	if err == nil {
		w.remove(at, len(uses))
	}
	if err == nil || !isCancelled(ctx) {
		w.recordResult(at, err)
	}
	return err
}

// isCancelled tells whether nobody waits for the store any more. That it did not get done then says nothing of the store.
func isCancelled(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// claim waits for the right to write an agent's record. The returned function gives it back.
func (w *writer) claim(ctx context.Context, at ref) (done func(), err error) {
	for {
		w.states.Lock()
		other, taken := w.writing[at]
		if !taken {
			mine := make(chan struct{})
			w.writing[at] = mine
			w.states.Unlock()
			return func() { w.release(at, mine) }, nil
		}
		w.states.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (w *writer) release(at ref, mine chan struct{}) {
	w.states.Lock()
	defer w.states.Unlock()
	delete(w.writing, at)
	close(mine)
}

// write adds uses to an agent's record. The caller has the claim, for which the janitor waits who takes notice of a
// deletion: so that is not waited for here.
func (w *writer) write(ctx context.Context, store Store, at ref, uses []Use) error {
	var replaced []supersededTail
	_, err := w.changeWhile(ctx, isRace, store, at, true, func(record *Record) {
		replaced = nil
		for _, use := range uses {
			use.Chain = w.recordedPart(at, use.Chain)
			for _, tail := range record.Add(use) {
				replaced = append(replaced, supersededTail{tail, use.Chain})
			}
		}
	})
	if err == nil {
		w.superseded.add(replaced)
	}
	return err
}

// recordedPart returns the part of a conversation that is recorded: nothing if its blocks are not found again
// after a restart, and only what is still there if blocks were removed while its record was to be written.
func (w *writer) recordedPart(at ref, chain kv.Chain) kv.Chain {
	if !w.cfg.Keeps(chain.Salt) {
		return kv.Chain{}
	}
	w.states.Lock()
	hasLostBlocks := w.lostBlocks[at]
	w.states.Unlock()
	if !hasLostBlocks {
		return chain
	}
	holdings := w.cfg.Memory.Holdings([]kv.Chain{chain})
	if len(holdings) == 0 { // nobody knows what is there
		return chain
	}
	there := 0
	for _, h := range holdings {
		there = max(there, h.Tokens)
	}
	return truncateChain(chain, there)
}

// truncateChain returns the part of a chain that lies within so many tokens.
func truncateChain(chain kv.Chain, tokens int) kv.Chain {
	if tokens >= chain.Tokens {
		return chain
	}
	full := min(tokens/kv.BlockTokens, len(chain.Keys))
	chain.Keys, chain.Tail, chain.Tokens = slices.Clip(chain.Keys[:full]), kv.Root, full*kv.BlockTokens
	return chain
}

// change changes a record by compare-and-set: who loses reads again, after a pause that grows. With make a
// missing record is made. While the janitor has still to take notice of the agent's deletion it waits for it.
func (w *writer) change(ctx context.Context, store Store, at ref, make bool, change func(*Record)) (Record, error) {
	return w.changeWhile(ctx, isPassing, store, at, make, change)
}

// isPassing tells of an error of a store that a change may not meet again a moment later.
func isPassing(err error) bool { return isRace(err) || errors.Is(err, ErrUnnoticed) }

func isRace(err error) bool { return errors.Is(err, ErrConflict) || errors.Is(err, ErrRemoving) }

// changeWhile is change that is tried again after errors that pass.
func (w *writer) changeWhile(
	ctx context.Context, passes func(error) bool, store Store, at ref, make bool, change func(*Record),
) (record Record, err error) {
	for try := 1; ; try++ {
		record, err = w.changeOnce(ctx, store, at, make, change)
		if errors.Is(err, ErrRemoving) {
			w.states.Lock()
			w.lostBlocks[at] = true
			w.states.Unlock()
		}
		if !passes(err) || try == maxConflicts {
			return record, err
		}
		pause := rand.N(min(minConflictPause<<try, maxConflictPause))
		if waitFor(ctx, pause) != nil {
			return record, err
		}
	}
}

func waitFor(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) changeOnce(ctx context.Context, store Store, at ref, make bool, change func(*Record)) (Record, error) {
	was, err := store.Get(ctx, at.tenant, at.id)
	record := was
	if errors.Is(err, ErrNotFound) && make {
		now := w.cfg.Clock().UTC()
		was, record, err = Record{}, Record{Tenant: at.tenant, ID: at.id, Created: now, Used: now}, nil
	}
	if err != nil {
		return record, err
	}
	record.Heads = slices.Clone(was.Heads)
	change(&record)
	version, err := store.Put(ctx, ChangeOf(was, record))
	if err == nil {
		logDamaged(w.cfg.Log, record)
		record.Version = version
	}
	return record, err
}

// logDamaged logs that parts of a record were lost.
func logDamaged(log *slog.Logger, record Record) {
	if record.Damaged > 0 {
		log.Warn("record_damaged", "tenant", record.Tenant, "agent", record.ID, "parts", record.Damaged,
			"note", "what can't be read is left out from now on; its blocks are found by their prompts all the same")
	}
}

// recordResult remembers whether an agent's record could be written, and logs the first time that it could
// not.
func (w *writer) recordResult(at ref, err error) {
	w.states.Lock()
	wasTold := w.failedLast[at]
	if err != nil {
		w.failedLast[at] = true
	} else {
		delete(w.failedLast, at)
		delete(w.lostBlocks, at)
	}
	w.states.Unlock()
	if err == nil {
		return
	}
	w.cfg.Log.Debug("record_not_written", "error", err)
	if !wasTold && !errors.Is(err, ErrUnnoticed) {
		w.cfg.Log.Warn("record_not_written", "tenant", at.tenant, "agent", at.id, "note", "it stays in memory and is tried again")
	}
}

// forget drops an agent's oldest uses, since the agent was deleted with them.
func (w *writer) forget(at ref, many int) {
	w.remove(at, many)
	w.recordResult(at, nil)
}
