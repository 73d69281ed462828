package main

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	kvpool "github.com/agent-memory/agent-memory/mlx/kv/pool"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/ledger"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// memory is the engine's memory as the modules see it. While the model loads there is none.
type memory struct {
	engine   *engine.Engine
	tenants  *tenants
	renderer prompt.Source
	messages *messages.Service
	ledger   *ledger.Ledger
}

// chargedTo has what is done under the context charged to a tenant, and to none of its agents.
func (m *memory) chargedTo(ctx context.Context, tenant string) context.Context {
	spec := m.engine.Spec()
	space := kv.Space{Fingerprint: spec.Fingerprint, Salt: m.tenants.of(tenant).ID}
	return kv.WithPayer(ctx, m.ledger.Payer(tenant, "", spec.Name, space))
}

// Holdings implements agents.Memory.
func (m *memory) Holdings(chains []kv.Chain) []kv.Holding {
	c, err := m.engine.Cache()
	if err != nil {
		return nil
	}
	return c.Holdings(context.Background(), chains)
}

// Where implements api.Locate.
func (m *memory) Where(ctx context.Context, refs []kv.Ref) [][]string {
	c, err := m.engine.Cache()
	if err != nil {
		return nil
	}
	return c.Where(ctx, refs)
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
func (m *memory) Evict(ctx context.Context, chains []kv.Chain, to string) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Evict(ctx, chains, to) })
}

// Prefetch implements agents.Memory.
func (m *memory) Prefetch(ctx context.Context, tenant string, chains []kv.Chain) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) {
		return c.Prefetch(m.chargedTo(ctx, tenant), m.tenants.of(tenant), chains)
	})
}

// Retain implements agents.Memory.
func (m *memory) Retain(chains []kv.Chain, until time.Time) {
	if c, err := m.engine.Cache(); err == nil {
		c.Pin(chains, until)
	}
}

// Forget implements agents.Memory.
func (m *memory) Forget(ctx context.Context, tenant, id string) ([]kv.Chain, int, error) {
	m.messages.Forget(tenant, id)
	return m.engine.ForgetAgent(ctx, tenant, id)
}

// ForgetTenant implements agents.Memory.
func (m *memory) ForgetTenant(ctx context.Context, tenant string) error {
	m.messages.ForgetTenant(tenant)
	return m.engine.ForgetTenant(ctx, tenant)
}

// DeleteTenant implements agents.Memory.
func (m *memory) DeleteTenant(ctx context.Context, tenant string, until time.Time) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) {
		return c.Wipe(m.chargedTo(ctx, tenant), m.tenants.of(tenant).ID, until)
	})
}

// Busy implements agents.Memory.
func (m *memory) Busy(ctx context.Context, tenant, id string) bool {
	return m.engine.Busy(ctx, tenant, id)
}

// Delete implements agents.Memory.
func (m *memory) Delete(ctx context.Context, entries []kv.Ref) (kv.Moved, error) {
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Delete(ctx, entries) })
}

// Warm implements agents.Memory.
func (m *memory) Warm(ctx context.Context, tenant, id, system string) (int, error) {
	tokens, err := prompt.Warm(ctx, m.engine, m.renderer, tenant, id, system)
	return tokens, unfit(err)
}

// unfit names what of a request can never be computed, and leaves other errors as they are.
func unfit(err error) error {
	var refused *prompt.RefusedError
	var tooLong *engine.TooLongError
	var neverFits *engine.NeverFitsError
	if errors.As(err, &refused) || errors.As(err, &tooLong) || errors.As(err, &neverFits) {
		return &agents.UnfitError{Reason: err.Error()}
	}
	return err
}

// Pool implements pool.Memory.
func (m *memory) Pool() kvpool.Stats { return m.engine.PoolStats() }

// noSecret is why tiers take nothing while the database is away.
const noSecret = "the database can't be opened, and with it the secret by which blocks are found: " +
	"nothing is stored until it can; see database_unavailable in the log"

// Tiers implements pool.Memory.
func (m *memory) Tiers() []kv.TierStatus {
	c, err := m.engine.Cache()
	if err != nil {
		return nil
	}
	tiers := c.Tiers()
	for i := range tiers {
		if !m.tenants.isStored() {
			tiers[i].Healthy = false
			tiers[i].Problem = noSecret
		}
	}
	return tiers
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
	return m.move(func(c *cache.Cache) (kv.Moved, error) { return c.Trim(context.Background()), nil })
}
