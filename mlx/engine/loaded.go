package engine

import (
	"cmp"
	"sync"

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

// presence is which model is loaded, or why none is.
type presence struct {
	mu         sync.Mutex
	phase      string  // of the start or a swap, "ready" afterwards
	progress   float64 // of the phase, from 0 to 1
	loaded     *loaded // nil while the model loads, and while there is none
	isUnloaded bool    // there is none, and none is being loaded
}

// note notes a model, or that one is being loaded.
func (p *presence) note(on *loaded, phase string, progress float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded, p.phase, p.progress, p.isUnloaded = on, phase, progress, false
}

// noteUnloaded notes that there is no model until an operator wants one.
func (p *presence) noteUnloaded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded, p.phase, p.progress, p.isUnloaded = nil, "unloaded", 1, true
}

func (p *presence) notePhase(phase string, done float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase, p.progress = phase, done
}

// opened is what there is of the model that is loaded; nil while there is none.
func (p *presence) opened() *loaded {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loaded
}

// space is where a tenant's blocks with this model are.
func (s Spec) space(tenant *kv.Tenant) kv.Space {
	return kv.Space{Fingerprint: s.Fingerprint, Salt: tenant.ID}
}

// Absence tells why no model is loaded, ErrStarting or ErrUnloaded; it is nil while one is.
func (p *presence) Absence() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.loaded != nil:
		return nil
	case p.isUnloaded:
		return ErrUnloaded
	}
	return ErrStarting
}

// Spec describes the loaded model; it is empty before the engine has started.
func (p *presence) Spec() Spec {
	if l := p.opened(); l != nil {
		return l.spec
	}
	return Spec{}
}

// Cache is the memory of the loaded model, or why there is none: ErrStarting or ErrUnloaded.
func (p *presence) Cache() (*cache.Cache, error) {
	if l := p.opened(); l != nil {
		return l.cache, nil
	}
	return nil, cmp.Or(p.Absence(), ErrStarting) // one may have come meanwhile
}

// PoolStats are the pool's figures; zeros before the engine has started.
func (p *presence) PoolStats() pool.Stats {
	if l := p.opened(); l != nil {
		return l.pool.Stats()
	}
	return pool.Stats{}
}
