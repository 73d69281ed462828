package cache

import (
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// tenants are the secrets of all tenants seen, to store again what was dropped and to write what only another
// tier has.
type tenants struct {
	mu   sync.Mutex
	byID map[kv.SaltID]*kv.Tenant
}

func newTenants() *tenants { return &tenants{byID: map[kv.SaltID]*kv.Tenant{}} }

func (t *tenants) add(tenant *kv.Tenant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID[tenant.ID] = tenant
}

// of is the tenant of a salt, or nil if it was not seen yet.
func (t *tenants) of(id kv.SaltID) *kv.Tenant {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}
