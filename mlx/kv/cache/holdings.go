package cache

import (
	"context"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// poolName is the pool's name among the tiers.
const poolName = "pool"

// Holdings tells what the pool and each tier has of the chains.
func (c *catalog) Holdings(ctx context.Context, chains []kv.Chain) []kv.Holding {
	counts := []*count{newCount(poolName, false)}
	for _, tier := range c.cfg.Tiers {
		_, isDistant := kv.As[kv.Distant](tier)
		counts = append(counts, newCount(tier.Name(), isDistant))
	}
	for _, chain := range chains {
		refs := chain.Refs()
		counts[0].add(refs, c.cfg.Pool.Lookup(refs))
		for i, tier := range c.cfg.Tiers {
			counts[i+1].add(refs, c.ask(ctx, tier, refs))
		}
	}
	holdings := make([]kv.Holding, len(counts))
	for i, n := range counts {
		holdings[i] = n.Holding
	}
	return holdings
}

type count struct {
	kv.Holding
	seen map[kv.Key]bool
}

func newCount(tier string, isDistant bool) *count {
	return &count{kv.Holding{Tier: tier, IsDistant: isDistant}, map[kv.Key]bool{}}
}

func (n *count) add(refs []kv.Ref, found []kv.Copy) {
	tokens, whole := 0, true
	for i, ref := range refs {
		if i >= len(found) || !found[i].Exists() {
			whole = false
			continue
		}
		if whole {
			tokens += ref.Tokens
		}
		if !n.seen[ref.Key] {
			n.seen[ref.Key] = true
			n.Blocks++
			n.Bytes += found[i].Bytes
		}
	}
	n.Tokens = max(n.Tokens, tokens)
}

// Where tells for each block the names of those that have it, the pool first. It counts as nobody's hit or miss.
func (c *catalog) Where(ctx context.Context, refs []kv.Ref) [][]string {
	places := make([][]string, len(refs))
	for i, found := range c.Peek(ctx, refs) {
		if found.InPool {
			places[i] = append(places[i], poolName)
		}
		for _, tier := range found.Tiers {
			places[i] = append(places[i], c.cfg.Tiers[tier].Name())
		}
	}
	return places
}
