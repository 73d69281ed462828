package agents

import "context"

// Collect removes from the storage that nodes share what nobody owns and nobody stored anew for the TTL, now and as an
// operator orders it. ErrNoInventory, ErrOtherLeads, ErrTenth and ErrOtherSecret tell why it removed nothing; what it found
// comes with ErrTenth, too.
func (r *Registry) Collect(ctx context.Context, order Order) (Collection, error) {
	if r.cfg.Shared == nil || r.cfg.TTL <= 0 {
		return Collection{}, ErrNoInventory
	}
	return (&collector{r.cfg, r.conn}).alone(ctx, order)
}
