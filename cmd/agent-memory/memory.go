package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// memory is the engine's memory as the modules see it. While the model loads there is none.
type memory struct {
	engine  *engine.Engine
	tenants func(string) *kv.Tenant
	text    messages.Prompter
}

// Holdings implements agents.Memory.
func (m *memory) Holdings(chains []kv.Chain) []kv.Holding {
	c, err := m.engine.Cache()
	if err != nil {
		return nil
	}
	return c.Holdings(chains)
}

// move runs what moves blocks on the cache, or returns why there is none yet.
func (m *memory) move(run func(*cache.Cache) (kv.Moved, error)) (kv.Moved, error) {
	c, err := m.engine.Cache()
	if err != nil {
		return kv.Moved{}, err
	}
	return run(c)
}

// Evict implements agents.Memory.
func (m *memory) Evict(ctx context.Context, chains []kv.Chain) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Evict(ctx, chains) })
}

// Prefetch implements agents.Memory.
func (m *memory) Prefetch(ctx context.Context, tenant string, chains []kv.Chain) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Prefetch(ctx, m.tenants(tenant), chains) })
}

// Retain implements agents.Memory.
func (m *memory) Retain(chains []kv.Chain, until time.Time) {
	if c, err := m.engine.Cache(); err == nil {
		c.Retain(chains, until)
	}
}

// Delete implements agents.Memory.
func (m *memory) Delete(ctx context.Context, entries []kv.Entry) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Delete(ctx, entries) })
}

// Warm implements agents.Memory. What two conversations with this system prompt have in common is computed.
func (m *memory) Warm(ctx context.Context, tenant, id, system string) (int, error) {
	var prompts [2]messages.Prompt
	for i, word := range []string{"a", "b"} {
		var err error
		if prompts[i], err = m.text.Prompt(ctx, messages.Conversation{Turns: []messages.Turn{
			{Role: messages.System, Parts: []messages.Part{{Kind: messages.Text, Text: system}}},
			{Role: messages.User, Parts: []messages.Part{{Kind: messages.Text, Text: word}}},
		}}); err != nil {
			return 0, err
		}
	}
	tokens := prompts[0].Tokens[:common(prompts[0].Tokens, prompts[1].Tokens)]
	if len(tokens) == 0 {
		return 0, errors.New("this model's chat template puts the user's text before the system prompt")
	}
	stream, err := m.engine.Submit(ctx, engine.Request{
		ID: "warm", Tenant: tenant, Agent: id, Tokens: tokens, NewDecoder: m.text.NewDecoder,
	})
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	if _, err := stream.Next(ctx); !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("compute a system prompt of %d tokens: %w", len(tokens), err)
	}
	return len(tokens), nil
}

// Pool implements pool.Memory.
func (m *memory) Pool() kv.Stats { return m.engine.PoolStats() }

// Tiers implements pool.Memory.
func (m *memory) Tiers() []kv.TierStatus {
	c, err := m.engine.Cache()
	if err != nil {
		return nil
	}
	return c.Tiers()
}

// EvictBytes implements pool.Memory.
func (m *memory) EvictBytes(ctx context.Context, bytes int64) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.EvictBytes(ctx, bytes) })
}

// EvictOlder implements pool.Memory.
func (m *memory) EvictOlder(ctx context.Context, age time.Duration) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.EvictOlder(ctx, age) })
}

// Flush implements pool.Memory.
func (m *memory) Flush(ctx context.Context) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Flush(ctx) })
}

// Trim implements pool.Memory.
func (m *memory) Trim() (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Trim(), nil })
}
