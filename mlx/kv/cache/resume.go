package cache

import (
	"context"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Resume has blocks of a tenant, which somebody wants, written to the tiers that lack them and that can tell so without a
// request for each block (kv.Comparer), from the tiers that have them. What was owed to a tier is forgotten when the process
// ends; this is how the next one finds it again.
func (b *writeback) Resume(ctx context.Context, t *kv.Tenant, refs []kv.Ref) error {
	b.tenants.add(t)
	for _, w := range b.writers {
		comparer, compares := kv.As[kv.Comparer](w.tier)
		if !compares {
			continue
		}
		there, err := b.elsewhere(ctx, w, refs)
		if err != nil || len(there) == 0 {
			return err
		}
		missing, err := comparer.Missing(ctx, there)
		if err != nil {
			return fmt.Errorf("compare %d blocks with tier %s: %w", len(there), w.name, err)
		}
		for _, ref := range missing {
			w.owe(ref, kv.PayerOf(ctx))
		}
	}
	return nil
}

// elsewhere are those of the blocks that a tier above the writer's has.
func (b *writeback) elsewhere(ctx context.Context, w *writer, refs []kv.Ref) (there []kv.Ref, err error) {
	isThere := make([]bool, len(refs))
	for _, tier := range b.cfg.Tiers[:w.index] {
		copies, err := tier.Lookup(ctx, refs)
		if err != nil {
			return nil, fmt.Errorf("look up %d blocks in tier %s: %w", len(refs), tier.Name(), err)
		}
		for i, found := range copies {
			isThere[i] = isThere[i] || found.Exists()
		}
	}
	for i, ref := range refs {
		if isThere[i] {
			there = append(there, ref)
		}
	}
	return there, nil
}
