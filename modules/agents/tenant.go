package agents

import (
	"context"
	"slices"
	"time"
)

// tenantMargin is how long after a tenant's deletion its blocks in the shared storage are still taken for those of before:
// clocks differ, and what was on its way arrives. A node that comes back later leaves what a new tenant of that name has.
const tenantMargin = 5 * time.Minute

// isOfTenant tells whether all of a tenant is deleted, and not one agent.
func (d Deletion) isOfTenant() bool { return d.ID == "" }

// DeleteTenant removes all records of a tenant and promises that every block of it goes from all tiers on all nodes, those
// of no agent included. It covers the requests that are under way; what the tenant asks later begins anew.
func (r *Registry) DeleteTenant(ctx context.Context, tenant string) (Deletion, error) {
	store, err := r.conn.ask(ctx)
	if err != nil {
		return Deletion{}, err
	}
	d := newDeletion(tenant, "", r.cfg.Clock())
	known := r.hot.of(tenant)
	err = r.writer.forgetTenant(ctx, r.cfg.Memory, tenant, func() error { return store.DeleteTenant(ctx, d) })
	if err != nil {
		return Deletion{}, err
	}
	for _, at := range known {
		r.hot.remove(at)
	}
	r.janitor.wake()
	return d, nil
}

// noticeTenant is notice for all agents of a tenant.
func (j *janitor) noticeTenant(ctx context.Context, store Store, d *Deletion) error {
	err := j.writer.forgetTenant(ctx, j.cfg.Memory, d.Tenant, func() error { return store.Notice(ctx, d.Operation, nil) })
	d.Noticed = err == nil
	return err
}

// forgetTenant makes a tenant's requests that are under way nobody's, and drops what is noted of its agents, once the store
// was told. Nobody writes their records meanwhile.
func (w *writer) forgetTenant(ctx context.Context, memory Requests, tenant string, tell func() error) error {
	if err := memory.ForgetTenant(ctx, tenant); err != nil {
		return err
	}
	var noted []ref
	for _, at := range slices.SortedFunc(slices.Values(w.refs()), ref.compare) { // all who claim several do it in one order
		if at.tenant != tenant {
			continue
		}
		done, err := w.claim(ctx, at)
		if err != nil {
			return err
		}
		defer done()
		noted = append(noted, at)
	}
	many := make([]int, len(noted))
	for i, at := range noted {
		many[i] = len(w.of(at))
	}
	if err := tell(); err != nil {
		return err
	}
	for i, at := range noted {
		w.forget(at, many[i])
	}
	return nil
}
