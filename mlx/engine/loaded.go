package engine

import (
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// loaded is what there is of a model that is loaded. It does not change.
type loaded struct {
	spec    Spec
	pool    *pool.Pool
	cache   *cache.Cache
	planner *planner
	device  *device
	slots   *slots // for the device's thread alone
}

// opened is what there is of the model that is loaded; nil while there is none.
func (e *Engine) opened() *loaded {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.loaded
}

// space is where a tenant's blocks with this model are.
func (s Spec) space(tenant *kv.Tenant) kv.Space {
	return kv.Space{Fingerprint: s.Fingerprint, Salt: tenant.ID}
}

// Spec describes the loaded model; it is empty before the engine has started.
func (e *Engine) Spec() Spec {
	if l := e.opened(); l != nil {
		return l.spec
	}
	return Spec{}
}

// Cache is the memory of the loaded model, or ErrStarting.
func (e *Engine) Cache() (*cache.Cache, error) {
	if l := e.opened(); l != nil {
		return l.cache, nil
	}
	return nil, ErrStarting
}

// PoolStats are the pool's figures; zeros before the engine has started.
func (e *Engine) PoolStats() pool.Stats {
	if l := e.opened(); l != nil {
		return l.pool.Stats()
	}
	return pool.Stats{}
}
