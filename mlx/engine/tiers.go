package engine

import (
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// newCache puts the tiers below the pool.
func (e *Engine) newCache(model Model, blocks *pool.Pool, device *device) *cache.Cache {
	spec := model.Spec()
	cfg := cache.Config{
		Pool: blocks, Rows: rows{model}, Form: cache.Form{Bits: spec.Bits, Class: spec.Class, Layers: spec.Layers},
		Arrived: e.wake.signal, Owned: e.cfg.Owned, Storable: e.cfg.Storable, Log: e.cfg.Logger, Listener: e.cfg.Moves,
		Policies: e.cfg.Policies, MostUnsaved: e.cfg.MostUnsaved,
	}
	if spec.Storable {
		cfg.Tiers = e.cfg.Tiers
	}
	if !spec.AnyThread {
		cfg.OnDevice = device.run
	}
	return cache.New(cfg)
}

// rows lets the cache reach the model's blocks.
type rows struct{ model Model }

// Export implements cache.Rows.
func (r rows) Export(from pool.Memory, tokens int) (parts [][]byte, err error) {
	err = guarded(func() (err error) {
		parts, err = r.model.Export(from, tokens)
		return err
	})
	return parts, err
}

// Import implements cache.Rows.
func (r rows) Import(to pool.Memory, tokens int, parts [][]byte) error {
	return guarded(func() error { return r.model.Import(to, tokens, parts) })
}

// evicted tells of a block that was evicted for another.
func (e *Engine) evicted(b pool.Evicted) {
	if e.cfg.Moves.Reclaims == nil {
		return
	}
	reason := "memory"
	if b.Clean == 0 && len(e.cfg.Tiers) > 0 {
		reason = "memory_lost"
	}
	e.cfg.Moves.Reclaims(reason, 1)
}
