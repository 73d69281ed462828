package agents

import (
	"context"
	"time"
)

// expiry deletes the agents that nobody uses any more.
type expiry struct {
	cfg         Settings
	conn        *connection
	writer      *writer
	deleteAgent func(ctx context.Context, tenant, id string) (Deletion, error)
}

// run deletes agents that outlived their TTL, unless a request of theirs is under way here. Of several nodes
// one does it.
func (e *expiry) run(ctx context.Context) {
	store, err := e.conn.ask(ctx)
	if err != nil {
		return
	}
	shared, is := store.(Shared)
	if !is {
		e.expireAll(ctx, store)
		return
	}
	if err := shared.Lead(ctx, func(ctx context.Context) { e.expireAll(ctx, store) }); err != nil {
		e.cfg.Log.Debug("agents_not_expired", "error", err)
	}
}

// expireAll looks at all agents. The age of one that was used in the future, by a wrong clock, begins now.
func (e *expiry) expireAll(ctx context.Context, store Store) {
	f := Filter{Limit: 100}
	for {
		page, next, err := store.List(ctx, f)
		if err != nil {
			if !isCancelled(ctx) {
				e.conn.reportFailure(err)
			}
			return
		}
		for _, record := range page {
			e.expireOne(ctx, store, record)
		}
		if next == (Cursor{}) {
			return
		}
		f.After = next
	}
}

func (e *expiry) expireOne(ctx context.Context, store Store, record Record) {
	now := e.cfg.Clock()
	if record.correctFuture(now) {
		_, err := e.writer.change(ctx, store, ref{record.Tenant, record.ID}, false, func(record *Record) { record.correctFuture(now) })
		if err != nil {
			e.cfg.Log.Debug("agent_not_set_back", "error", err)
		}
		return
	}
	isUsed := len(e.writer.of(ref{record.Tenant, record.ID})) > 0 || e.cfg.Memory.Busy(ctx, record.Tenant, record.ID)
	if !record.isExpired(now, e.cfg.TTL) || isUsed {
		return
	}
	if latest, err := store.Get(ctx, record.Tenant, record.ID); err != nil || !latest.isExpired(now, e.cfg.TTL) {
		return // another node used it since it was listed
	}
	d, err := e.deleteAgent(ctx, record.Tenant, record.ID)
	if err != nil {
		e.cfg.Log.Warn("agent_not_expired", "error", err)
		return
	}
	e.cfg.Log.Info("agent_expired", "tenant", record.Tenant, "agent", record.ID, "unused_for", now.Sub(record.Used).Round(time.Second),
		"operation", d.Operation)
}

// isExpired tells whether the agent outlived its TTL, or the given one if it has none.
func (r *Record) isExpired(now time.Time, otherwise time.Duration) bool {
	ttl := r.TTL
	if ttl == 0 {
		ttl = otherwise
	}
	known := !r.Used.IsZero() && r.Damaged == 0
	return known && ttl > 0 && now.Sub(r.Used) > ttl && !r.RetainUntil.After(now)
}
