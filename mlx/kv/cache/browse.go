package cache

import (
	"context"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Browse calls visit with the trees of the blocks that continue a parent, of the pool and of each tier below
// it. Each is valid within its call.
func (c *catalog) Browse(s kv.Space, parent kv.Key, visit func(kv.Branch)) {
	c.cfg.Pool.Browse(s, parent, visit)
	for _, tier := range c.cfg.Tiers {
		if browser, browses := kv.As[kv.Browser](tier); browses {
			browser.Browse(s, parent, visit)
		}
	}
}

// Nearest finds the block behind a parent that begins with the most of the tags, one in the pool if there is a
// choice, and how many those are.
func (c *catalog) Nearest(ctx context.Context, s kv.Space, parent kv.Key, tags []kv.Tag) (nearest *Found, tokens int) {
	var best kv.Entry
	c.Browse(s, parent, func(b kv.Branch) {
		end, n := b.Along(tags)
		if e, ok := end.Entry(n); ok && min(n, e.Tokens) > tokens {
			best, tokens = e, min(n, e.Tokens)
		}
	})
	if tokens == 0 {
		return nil, 0
	}
	found := c.Peek(ctx, []kv.Ref{best.Ref})
	if !found[0].Exists() {
		return nil, 0 // it is gone meanwhile
	}
	return &found[0], tokens
}

// Quarantined tells whether a tier put a damaged form of the block away.
func (c *catalog) Quarantined(ref kv.Ref) bool {
	for _, tier := range c.cfg.Tiers {
		if q, quarantines := kv.As[kv.Quarantiner](tier); quarantines && q.Quarantined(ref) {
			return true
		}
	}
	return false
}
