package cache

import (
	"context"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// HasDistant tells whether there is a tier that has to be asked over a network (kv.Distant).
func (c *catalog) HasDistant() bool {
	return slices.ContainsFunc(c.cfg.Tiers, func(tier kv.Tier) bool {
		_, is := kv.As[kv.Distant](tier)
		return is
	})
}

// Learn has the distant tiers ask for the blocks of one sequence, in their order, as far as neither the pool
// nor a nearer tier has them. It tells whether any was found. A tier that fails has nothing.
func (c *catalog) Learn(ctx context.Context, refs []kv.Ref) (found bool) {
	return c.learn(ctx, func(ctx context.Context, distant kv.Distant) (bool, error) {
		unknown := c.nowhereNear(ctx, refs, distant)
		if len(unknown) == 0 {
			return false, nil
		}
		err := distant.Learn(ctx, unknown)
		return slices.ContainsFunc(distant.Known(unknown), kv.Copy.Exists), err
	})
}

// LearnBehind has the distant tiers ask which blocks continue a parent. It tells whether they know of more than
// before.
func (c *catalog) LearnBehind(ctx context.Context, s kv.Space, parent kv.Key) (found bool) {
	return c.learn(ctx, func(ctx context.Context, distant kv.Distant) (bool, error) {
		return distant.LearnBehind(ctx, s, parent)
	})
}

// learn has each distant tier asked for at most lookDeadline.
func (c *catalog) learn(ctx context.Context, ask func(context.Context, kv.Distant) (bool, error)) (found bool) {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	for _, tier := range c.cfg.Tiers {
		if distant, is := kv.As[kv.Distant](tier); is {
			more, err := ask(ctx, distant)
			c.events.failed(tier, "look up", err)
			found = found || more
		}
	}
	return found
}

// nowhereNear are those of the blocks that only a distant tier could have and of which it knows nothing.
func (c *catalog) nowhereNear(ctx context.Context, refs []kv.Ref, distant kv.Distant) (unknown []kv.Ref) {
	known := distant.Known(refs)
	for i, f := range c.Peek(ctx, refs) {
		if !f.Exists() && known[i].IsUnknown {
			unknown = append(unknown, refs[i])
		}
	}
	return unknown
}
