package cache

import (
	"context"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// lookDeadline is how long a tier may take to say what it has. It then counts as having nothing.
const lookDeadline = time.Second

// catalog tells what is where: in the pool and in each tier below it.
type catalog struct {
	cfg    *Config
	events *events
	tasks  *tasks
}

// Found is a block with who has it.
type Found struct {
	kv.Ref
	kv.Copy
	InPool  bool
	Tiers   []int      // that have it, the fastest first
	Unknown pool.Tiers // that did not say whether they have it
}

// Lookup tells for each block who has it: one pass, all tiers at once. Distant tiers tell what they know
// already; Learn has them ask.
func (c *catalog) Lookup(ctx context.Context, refs []kv.Ref) []Found {
	return c.lookup(ctx, refs, c.events.looked)
}

// Peek is Lookup for those who only look: it counts as nobody's hit or miss.
func (c *catalog) Peek(ctx context.Context, refs []kv.Ref) []Found {
	return c.lookup(ctx, refs, func(kv.Tier, []kv.Ref, []kv.Copy) {})
}

func (c *catalog) lookup(ctx context.Context, refs []kv.Ref, looked func(kv.Tier, []kv.Ref, []kv.Copy)) []Found {
	found := make([]Found, len(refs))
	for i, ref := range refs {
		found[i].Ref = ref
	}
	if len(refs) == 0 {
		return found
	}
	merge(found, c.cfg.Pool.Lookup(refs), func(f *Found) { f.InPool = true })
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	answers := make([]chan []kv.Copy, len(c.cfg.Tiers))
	for i, tier := range c.cfg.Tiers {
		answers[i] = make(chan []kv.Copy, 1)
		if distant, is := kv.As[kv.Distant](tier); is {
			answers[i] <- distant.Known(refs)
			continue
		}
		c.tasks.run(func() { answers[i] <- c.ask(ctx, tier, refs) })
	}
	for i := range answers {
		var copies []kv.Copy
		select {
		case copies = <-answers[i]:
			looked(c.cfg.Tiers[i], refs, copies)
		case <-ctx.Done():
		}
		merge(found, copies, func(f *Found) { f.Tiers = append(f.Tiers, i) })
		markUnknown(found, copies, i)
	}
	return found
}

// markUnknown notes of which blocks a tier did not say whether it has them.
func markUnknown(found []Found, copies []kv.Copy, tier int) {
	for i := range found {
		if i >= len(copies) || copies[i].IsUnknown {
			found[i].Unknown |= pool.TierSet(tier)
		}
	}
}

// ask is a tier's answer, for at most lookDeadline. A tier that fails has nothing.
func (c *catalog) ask(ctx context.Context, tier kv.Tier, refs []kv.Ref) []kv.Copy {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	copies, err := tier.Lookup(ctx, refs)
	c.events.failed(tier, "look up", err)
	return copies
}

// merge adds what a tier says to what is known of the blocks.
func merge(found []Found, copies []kv.Copy, mark func(*Found)) {
	for i := range min(len(copies), len(found)) {
		if !copies[i].Exists() {
			continue
		}
		f := &found[i]
		mark(f)
		f.Bytes = max(f.Bytes, copies[i].Bytes)
		if copies[i].Used.After(f.Used) {
			f.Used = copies[i].Used
		}
	}
}

// Missing notes what a look-up did not find in tiers that were believed to have it: they gave it up, and it is stored
// again when they have time for it.
func (c *catalog) Missing(found []Found) {
	for _, f := range found {
		if !f.InPool {
			continue
		}
		for i := range c.cfg.Tiers {
			if !slices.Contains(f.Tiers, i) && !f.Unknown.Has(i) {
				c.cfg.Pool.MarkLost(f.Space, f.Key, i)
			}
		}
	}
}

// Used tells the tiers that the blocks were used now, and until when they are to be given up last (zero: no wish).
func (c *catalog) Used(refs []kv.Ref, until time.Time) {
	for _, tier := range c.cfg.Tiers {
		if toucher, touches := kv.As[kv.Toucher](tier); touches {
			toucher.Touch(refs, until)
		}
	}
}

// inTier tells whether the tier of that name (empty: any) has the block, and its size there.
func (c *catalog) inTier(ctx context.Context, ref kv.Ref, name string) (bytes int64, there bool) {
	for _, tier := range c.cfg.Tiers {
		if name != "" && tier.Name() != name {
			continue
		}
		if found := c.ask(ctx, tier, []kv.Ref{ref}); len(found) > 0 && found[0].Exists() {
			return found[0].Bytes, true
		}
	}
	return 0, false
}

// Tiers are the states of the tiers below the pool, the fastest first.
func (c *catalog) Tiers() []kv.TierStatus {
	all := make([]kv.TierStatus, len(c.cfg.Tiers))
	for i, tier := range c.cfg.Tiers {
		all[i] = tier.Status()
	}
	return all
}
