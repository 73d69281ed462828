package agents

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Deletion is an agent that was deleted, or all of a tenant, with what became of the blocks.
type Deletion struct {
	Operation  string // by which it is asked for
	Tenant, ID string // without an id: all of the tenant
	Created    time.Time
	Noticed    bool       // by this node: it covers the agent's requests that were under way here
	Ended      time.Time  // zero while blocks are still to be removed
	Chains     []kv.Chain // of the agent and of its requests that were under way, while it has not ended
	Damaged    int        // chains that could not be read: their blocks go with age
	UnderWay   bool       // there were such requests; not stored
	Removed    kv.Moved   // from the tiers below the pool, so far
	Error      string     // of the last attempt
}

// newDeletion returns a deletion with an operation id that nobody can guess.
func newDeletion(tenant, id string, now time.Time) Deletion {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return Deletion{Operation: "op_" + hex.EncodeToString(random[:]), Tenant: tenant, ID: id, Created: now.UTC(), Noticed: true}
}

// Delete removes the agent's record and promises that every block that is nobody else's goes from all tiers:
// the promise is stored with the removal, so it holds across a crash. Run keeps it, and tries again what
// fails. It covers the agent's requests that are under way: they are answered, and leave nothing behind.
func (r *Registry) Delete(ctx context.Context, tenant, id string) (Deletion, error) {
	store, err := r.conn.ask(ctx)
	if err != nil {
		return Deletion{}, err
	}
	d, at := newDeletion(tenant, id, r.cfg.Clock()), ref{tenant, id}
	chains, underWay, err := r.cfg.Memory.Forget(ctx, tenant, id)
	if err != nil {
		return Deletion{}, err
	}
	r.writer.writeSoon(ctx, at) // so that the record holds the last turn; what is left is removed with it
	done, err := r.writer.claim(ctx, at)
	if err != nil {
		return Deletion{}, err
	}
	defer done()
	unwritten := r.writer.of(at)
	d.Chains, d.UnderWay = chains, underWay+len(unwritten) > 0
	for _, use := range unwritten {
		d.Chains = append(d.Chains, use.Chain)
	}
	d, err = store.Delete(ctx, d)
	if err != nil {
		return Deletion{}, err
	}
	r.writer.forget(at, len(unwritten))
	r.hot.remove(at)
	r.janitor.wake()
	return d, nil
}

// Deletion returns what became of a deletion; an empty tenant stands for all.
func (r *Registry) Deletion(ctx context.Context, tenant, operation string) (Deletion, error) {
	store, err := r.conn.ask(ctx)
	if err != nil {
		return Deletion{}, err
	}
	d, err := store.Deletion(ctx, operation)
	if err == nil && tenant != "" && d.Tenant != tenant {
		return Deletion{}, ErrNotFound
	}
	return d, err
}
