package agents

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

const (
	deletionsKept    = 7 * 24 * time.Hour // ended ones can be asked for so long
	deletionPatience = time.Minute        // of one attempt
)

// Deletion is an agent that was deleted, with what became of its blocks.
type Deletion struct {
	Operation  string // by which it is asked for
	Tenant, ID string
	Created    time.Time
	Ended      time.Time  // zero while blocks are still to be removed
	Chains     []kv.Chain // of the agent, while it has not ended
	Removed    kv.Moved   // from the tiers below the pool, so far
	Error      string     // of the last attempt
}

// newDeletion returns a deletion with an operation id that nobody can guess.
func newDeletion(tenant, id string) Deletion {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return Deletion{Operation: "op_" + hex.EncodeToString(random[:]), Tenant: tenant, ID: id, Created: time.Now().UTC()}
}

// Delete removes the agent's record and promises that every block that is nobody else's goes from all tiers: the promise
// is stored with the removal, so it holds across a crash. Run keeps it, and tries again what fails.
func (r *Registry) Delete(ctx context.Context, tenant, id string) (Deletion, error) {
	store, err := r.ask()
	if err != nil {
		return Deletion{}, err
	}
	r.save(ctx) // so that the blocks of the last turn are among those to be removed
	d, err := store.Delete(ctx, newDeletion(tenant, id))
	if err != nil {
		return Deletion{}, err
	}
	r.cooled(ref{tenant, id})
	r.promised()
	return d, nil
}

// promised wakes who keeps the promises.
func (r *Registry) promised() {
	select {
	case r.doomed <- struct{}{}:
	default:
	}
}

// bury removes the blocks of deleted agents until ctx ends, those that an earlier process left first.
func (r *Registry) bury(ctx context.Context) {
	pause := r.cfg.Retry
	for {
		var again <-chan time.Time
		if err := r.buryAll(ctx); err == nil {
			pause = r.cfg.Retry
		} else {
			again = time.After(pause)
			pause = min(2*pause, mostPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.doomed:
		case <-again:
		}
	}
}

func (r *Registry) buryAll(ctx context.Context) error {
	store, err := r.ask()
	if err != nil {
		return err
	}
	r.save(ctx) // what was said meanwhile may have come to own some of the blocks
	pending, err := store.Pending(ctx, time.Now().Add(-deletionsKept))
	if err != nil {
		return err
	}
	var failures []error
	for _, d := range pending {
		failures = append(failures, r.buryOne(ctx, store, d))
	}
	return errors.Join(failures...)
}

// buryOne removes the blocks of one deleted agent that nobody owns, now: another may have come to own some since.
func (r *Registry) buryOne(ctx context.Context, store Store, d Deletion) error {
	ctx, cancel := context.WithTimeout(ctx, deletionPatience)
	defer cancel()
	var entries []kv.Entry
	for _, chain := range d.Chains {
		entries = append(entries, chain.Entries()...)
	}
	orphans, err := store.Unowned(ctx, entries)
	if err == nil {
		var moved kv.Moved
		moved, err = r.cfg.Memory.Delete(ctx, orphans)
		d.Removed.Blocks += moved.Blocks
		d.Removed.Bytes += moved.Bytes
	}
	told := d.Error
	if d.Ended, d.Error = time.Now().UTC(), ""; err != nil {
		d.Ended, d.Error = time.Time{}, err.Error()
		err = fmt.Errorf("remove the blocks of deleted agent %q: %w", d.ID, err)
		if told == "" {
			r.cfg.Log.Warn("deletion_delayed", "operation", d.Operation, "error", err.Error(), "note", "it is tried again until it is done")
		}
	}
	return errors.Join(err, store.Progress(context.WithoutCancel(ctx), d))
}

// Deletion returns what became of a deletion; an empty tenant stands for all.
func (r *Registry) Deletion(ctx context.Context, tenant, operation string) (Deletion, error) {
	store, err := r.ask()
	if err != nil {
		return Deletion{}, err
	}
	d, err := store.Deletion(ctx, operation)
	if err == nil && tenant != "" && d.Tenant != tenant {
		return Deletion{}, ErrNotFound
	}
	return d, err
}
