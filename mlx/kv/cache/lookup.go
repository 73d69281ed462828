package cache

import (
	"context"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// lookDeadline is how long a tier may take to say what it has. It then counts as having nothing.
const lookDeadline = time.Second

// Found is a block that can be had.
type Found struct {
	kv.Entry
	InPool bool
	Tiers  []int // that have it, the fastest first
}

// Lookup returns, for each parent, all blocks that continue it in any tier: in one pass, all tiers at once.
func (c *Cache) Lookup(ctx context.Context, q kv.Query) [][]Found {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	answers := make([]chan [][]kv.Entry, len(c.cfg.Tiers))
	for i, tier := range c.cfg.Tiers {
		answers[i] = make(chan [][]kv.Entry, 1)
		go func() { answers[i] <- c.ask(ctx, tier, q) }()
	}
	m := newMerge(q)
	m.add(c.cfg.Pool.Lookup(q), func(f *Found) { f.InPool = true })
	for i := range answers {
		select {
		case entries := <-answers[i]:
			m.add(entries, func(f *Found) { f.Tiers = append(f.Tiers, i) })
			c.looked(c.cfg.Tiers[i], q, entries)
		case <-ctx.Done():
		}
	}
	return m.found
}

func (c *Cache) ask(ctx context.Context, tier kv.Tier, q kv.Query) [][]kv.Entry {
	entries, err := tier.Lookup(ctx, q)
	c.failed(tier, "look up", err)
	return entries
}

// looked tells how many of the expected blocks a tier had, up to the first that it had not.
func (c *Cache) looked(tier kv.Tier, q kv.Query, entries [][]kv.Entry) {
	if c.cfg.Listener.Looked == nil || len(q.Keys) == 0 {
		return
	}
	hits := 0
	for hits < len(q.Keys) && hits < len(entries) && has(entries[hits], q.Keys[hits]) {
		hits++
	}
	c.cfg.Listener.Looked(tier.Status().Name, hits, len(q.Keys)-hits)
}

func has(entries []kv.Entry, key kv.Key) bool {
	for _, e := range entries {
		if e.Key == key {
			return true
		}
	}
	return false
}

// merge joins what the tiers say, each block once.
type merge struct {
	found [][]Found
	at    []map[kv.Key]int
}

func newMerge(q kv.Query) *merge {
	return &merge{found: make([][]Found, len(q.Parents)), at: make([]map[kv.Key]int, len(q.Parents))}
}

func (m *merge) add(entries [][]kv.Entry, mark func(*Found)) {
	for i := range min(len(entries), len(m.found)) {
		if m.at[i] == nil {
			m.at[i] = map[kv.Key]int{}
		}
		for _, e := range entries[i] {
			n, known := m.at[i][e.Key]
			if !known {
				n = len(m.found[i])
				m.at[i][e.Key] = n
				m.found[i] = append(m.found[i], Found{Entry: e})
			}
			f := &m.found[i][n]
			mark(f)
			f.Bytes = max(f.Bytes, e.Bytes)
			if e.Used.After(f.Used) {
				f.Used = e.Used
			}
		}
	}
}

// Quarantined tells whether a tier put a damaged form of the block away.
func (c *Cache) Quarantined(e kv.Entry) bool {
	for _, tier := range c.cfg.Tiers {
		if i, is := tier.(kv.Inspector); is && i.Quarantined(e) {
			return true
		}
	}
	return false
}

// Lost notes blocks of the pool that a look-up did not find below it: if they were stored once, a tier gave them up,
// and they are stored again when the tiers have time for it.
func (c *Cache) Lost(found []Found) {
	for _, f := range found {
		if f.InPool && len(f.Tiers) == 0 && len(c.cfg.Tiers) > 0 {
			c.cfg.Pool.Lose(f.Space, f.Key)
		}
	}
}

// Used tells the tiers that the blocks were used now, and until when they are to be given up last (zero: no wish).
func (c *Cache) Used(entries []kv.Entry, until time.Time) {
	for _, tier := range c.cfg.Tiers {
		tier.Keep(entries, until)
	}
}
