package agents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Get returns a record with what is not written of it yet. While the store is away, that is all.
func (r *Registry) Get(ctx context.Context, tenant, id string) (Record, error) {
	uses := r.writer.of(ref{tenant, id})
	store, err := r.conn.ask(ctx)
	var record Record
	if err == nil {
		record, err = store.Get(ctx, tenant, id)
	}
	if err != nil && len(uses) == 0 {
		return record, err
	}
	if err != nil {
		record = Record{Tenant: tenant, ID: id, Created: uses[0].At}
	}
	record.addAll(uses)
	return record, nil
}

// Written is Get once what is noted of the agent is written, if the store takes it soon: what is told to be
// durable includes the record.
func (r *Registry) Written(ctx context.Context, tenant, id string) (Record, error) {
	r.writer.writeSoon(ctx, ref{tenant, id})
	return r.Get(ctx, tenant, id)
}

// List returns records with what is not written of them yet. It writes nothing.
func (r *Registry) List(ctx context.Context, f Filter) ([]Record, Cursor, error) {
	uses := r.writer.all() // before the store is asked: what is written meanwhile is in both
	store, err := r.conn.ask(ctx)
	if err != nil {
		return nil, Cursor{}, err
	}
	page, next, err := store.List(ctx, f)
	if err != nil {
		return nil, Cursor{}, err
	}
	for at, uses := range uses {
		if !f.covers(at, next) {
			continue
		}
		if page, err = r.withUses(ctx, store, f, page, at, uses); err != nil {
			return nil, Cursor{}, err
		}
	}
	if len(page) > f.Limit {
		page = page[:f.Limit]
		next = Cursor{page[f.Limit-1].Tenant, page[f.Limit-1].ID}
	}
	return page, next, nil
}

// covers tells whether an agent would lie on the page that ends at next, as far as its name goes.
func (f Filter) covers(at ref, next Cursor) bool {
	return (f.Tenant == "" || f.Tenant == at.tenant) && strings.HasPrefix(at.id, f.Prefix) && at.compare(ref{f.After.Tenant, f.After.ID}) > 0 &&
		(next == Cursor{} || at.compare(ref{next.Tenant, next.ID}) <= 0)
}

// matches tells whether the time of a record's last use is one that the filter asks for.
func (f Filter) matches(r Record) bool {
	return (f.UsedBefore.IsZero() || r.Used.Before(f.UsedBefore)) && (f.UsedAfter.IsZero() || r.Used.After(f.UsedAfter))
}

// withUses puts an agent with its latest uses into the page, or takes it out if the filter no longer takes
// it.
func (r *Registry) withUses(ctx context.Context, store Records, f Filter, page []Record, at ref, uses []Use) ([]Record, error) {
	i, isListed := slices.BinarySearchFunc(page, at, func(r Record, at ref) int { return ref{r.Tenant, r.ID}.compare(at) })
	var record Record
	if isListed {
		record = page[i]
		page = slices.Delete(page, i, i+1)
	} else {
		var err error
		record, err = store.Get(ctx, at.tenant, at.id)
		switch {
		case errors.Is(err, ErrNotFound) && len(r.writer.of(at)) == 0: // it was deleted meanwhile
			return page, nil
		case errors.Is(err, ErrNotFound):
			record = Record{Tenant: at.tenant, ID: at.id, Created: uses[0].At}
		case err != nil:
			return nil, err
		}
	}
	if record.addAll(uses); f.matches(record) {
		page = slices.Insert(page, i, record)
	}
	return page, nil
}

func (r *Record) addAll(uses []Use) {
	for _, use := range uses {
		r.Add(use)
	}
}

// Create makes an agent, or changes the TTL of one that is there, and computes its system prompt if it has
// one.
func (r *Registry) Create(ctx context.Context, tenant, id, system string, ttl time.Duration) (record Record, created bool, err error) {
	store, err := r.conn.ask(ctx)
	if err != nil {
		return record, false, err
	}
	at := ref{tenant, id}
	_, err = store.Get(ctx, tenant, id)
	created = errors.Is(err, ErrNotFound)
	if system != "" { // first, so that a prompt that can't be computed leaves no agent behind
		if _, err := r.cfg.Memory.Warm(ctx, tenant, id, system); err != nil {
			return record, false, fmt.Errorf("compute the system prompt of agent %q: %w", id, err)
		}
	}
	if _, err = r.writer.change(ctx, store, at, true, func(record *Record) { record.TTL = ttl }); err != nil {
		return record, false, err
	}
	record, err = r.Get(ctx, tenant, id)
	return record, created, err
}

// Retain has the agent's blocks given up after others until the given time, on every node.
func (r *Registry) Retain(ctx context.Context, tenant, id string, until time.Time) (Record, error) {
	store, err := r.conn.ask(ctx)
	if err != nil {
		return Record{}, err
	}
	at := ref{tenant, id}
	r.writer.writeSoon(ctx, at)
	record, err := r.writer.change(ctx, store, at, false, func(record *Record) { record.RetainUntil = until })
	if err != nil {
		return record, err
	}
	r.cfg.Memory.Retain(record.Chains(), until)
	_, err = r.send(ctx, Command{Kind: CommandRetain, Tenant: tenant, ID: id, Until: until})
	return record, err
}

// Holdings tells what each tier has of an agent, the pool first.
func (r *Registry) Holdings(record Record) []kv.Holding {
	return r.cfg.Memory.Holdings(record.Chains())
}

// Tiers are the names of the tiers, the pool's first.
func (r *Registry) Tiers() (names []string) {
	for _, h := range r.cfg.Memory.Holdings(nil) {
		names = append(names, h.Tier)
	}
	return names
}
