package main

import (
	"crypto/rand"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// newSecret draws the secret that all tenants' secrets derive from. It lives as long as the process, like the blocks
// that it names.
func newSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// tenants returns what derives each tenant's secrets, once.
func tenants(cluster []byte) func(string) *kv.Tenant {
	var known sync.Map
	return func(name string) *kv.Tenant {
		if tenant, ok := known.Load(name); ok {
			return tenant.(*kv.Tenant)
		}
		tenant, _ := known.LoadOrStore(name, kv.NewTenant(cluster, name))
		return tenant.(*kv.Tenant)
	}
}
