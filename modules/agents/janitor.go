package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

const (
	deletionRetention = 7 * 24 * time.Hour // ended ones can be asked for so long
	deletionTimeout   = time.Minute        // of one attempt
	removalBatch      = 64                 // blocks for which nobody can come to own them at a time
)

// janitor removes the blocks of deleted agents, agents that outlived their TTL, and superseded tails.
type janitor struct {
	cfg     Settings
	conn    *connection
	writer  *writer
	wakeUps chan struct{} // an agent was deleted, or the store was opened

	caughtUp atomic.Bool // once all deletions were noticed and tried
}

func newJanitor(cfg Settings, conn *connection, w *writer) *janitor {
	return &janitor{cfg: cfg, conn: conn, writer: w, wakeUps: make(chan struct{}, 1)}
}

// wake has the janitor look for deletions.
func (j *janitor) wake() {
	select {
	case j.wakeUps <- struct{}{}:
	default:
	}
}

// run carries deletions out until ctx ends, those that an earlier process left first.
func (j *janitor) run(ctx context.Context) {
	pause := j.cfg.Retry
	for {
		var again <-chan time.Time
		if err := j.carryOut(ctx); err == nil {
			pause = j.cfg.Retry
		} else {
			again = time.After(pause)
			pause = min(2*pause, maxPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-j.wakeUps:
		case <-again:
		}
	}
}

// carryOut removes the blocks of all deleted agents.
func (j *janitor) carryOut(ctx context.Context) error {
	store, err := j.conn.ask(ctx)
	if err != nil {
		return err
	}
	j.writer.writeAll(ctx) // what was said meanwhile may have come to own some of the blocks
	pending, err := store.Pending(ctx, j.cfg.Clock().Add(-deletionRetention))
	if err != nil {
		return err
	}
	var failures []error
	noticed := true
	for _, d := range pending {
		if err := j.notice(ctx, store, &d); err != nil {
			noticed, failures = false, append(failures, err)
			continue
		}
		failures = append(failures, j.carryOutOne(ctx, store, d))
	}
	if noticed {
		j.caughtUp.Store(true)
	}
	return errors.Join(failures...)
}

// carryOutOne removes the blocks of one deleted agent that nobody owns, now: another may have come to own
// some since.
func (j *janitor) carryOutOne(ctx context.Context, store Store, d Deletion) error {
	ctx, cancel := context.WithTimeout(ctx, deletionTimeout)
	defer cancel()
	if d.Damaged > 0 {
		j.cfg.Log.Warn("deletion_damaged", "operation", d.Operation, "conversations", d.Damaged,
			"note", "their record can't be read; their blocks can't be found any more and go with age")
	}
	var blocks []kv.Ref
	for _, chain := range d.Chains {
		blocks = append(blocks, chain.Refs()...)
	}
	var moved kv.Moved
	var err error
	if d.isOfTenant() {
		moved, err = j.cfg.Memory.DeleteTenant(ctx, d.Tenant, d.Created.Add(tenantMargin))
	} else {
		moved, err = j.removeUnowned(ctx, store, d.Operation, blocks)
	}
	d.Removed.Blocks += moved.Blocks
	d.Removed.Bytes += moved.Bytes
	told := d.Error
	if d.Ended, d.Error = j.cfg.Clock().UTC(), ""; err != nil {
		d.Ended, d.Error = time.Time{}, err.Error()
		err = fmt.Errorf("remove the blocks of deleted agent %q of tenant %q: %w", d.ID, d.Tenant, err)
		if told == "" {
			j.cfg.Log.Warn("deletion_delayed", "operation", d.Operation, "error", err.Error(), "note", "it is tried again until it is done")
		}
	}
	return errors.Join(err, store.Progress(context.WithoutCancel(ctx), d))
}

// notice has a deletion that another node took cover this node's requests of the agent, those that ended
// included of which there is no record yet. Nobody writes the agent's record meanwhile: once the store knows of
// the notice it would take what the deletion covers for uses of a new agent.
func (j *janitor) notice(ctx context.Context, store Store, d *Deletion) error {
	if d.Noticed {
		return nil
	}
	if d.isOfTenant() {
		return j.noticeTenant(ctx, store, d)
	}
	further, _, err := j.cfg.Memory.Forget(ctx, d.Tenant, d.ID)
	if err != nil {
		return fmt.Errorf("forget the requests of agent %q: %w", d.ID, err)
	}
	at := ref{d.Tenant, d.ID}
	done, err := j.writer.claim(ctx, at)
	if err != nil {
		return err
	}
	defer done()
	uses := j.writer.of(at)
	for _, use := range uses {
		further = append(further, use.Chain)
	}
	if err := store.Notice(ctx, d.Operation, further); err != nil {
		return err
	}
	j.writer.forget(at, len(uses))
	d.Chains, d.Noticed = append(d.Chains, further...), true
	return nil
}

// removeUnowned removes those of the blocks that nobody owns, and that no use needs which is not written yet:
// its agent will own them soon.
func (j *janitor) removeUnowned(ctx context.Context, store Store, operation string, blocks []kv.Ref) (moved kv.Moved, err error) {
	for batch := range slices.Chunk(blocks, removalBatch) {
		err = errors.Join(err, store.DeleteUnowned(ctx, operation, batch, func(ctx context.Context, orphans []kv.Ref) error {
			removed, err := j.cfg.Memory.Delete(ctx, j.withoutNeeded(orphans))
			moved.Blocks += removed.Blocks
			moved.Bytes += removed.Bytes
			return err
		}))
	}
	return moved, err
}

func (j *janitor) withoutNeeded(blocks []kv.Ref) []kv.Ref {
	keys := make([]kv.Key, len(blocks))
	for i, block := range blocks {
		keys[i] = block.Key
	}
	needed := j.writer.needed(keys)
	return slices.DeleteFunc(slices.Clone(blocks), func(block kv.Ref) bool { return needed[block.Key] })
}
