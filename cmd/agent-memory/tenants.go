package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// newSecret draws the secret that all tenants' secrets derive from, unless the database has one.
func newSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// tenants derives the tenants' secrets from the cluster's. Nothing is kept of a name: anybody may ask for any.
type tenants struct {
	mu      sync.Mutex
	cluster []byte
	stored  bool // the secret is the cluster's: the database has it, or had it when this node was there before
	// passing are the salts that derived from a secret while none was stored. If another one is stored in the end, their
	// blocks can't be found after a restart, so they must not be made durable. Empty before anything goes wrong.
	passing map[kv.SaltID]bool
}

func newTenants(cluster []byte) *tenants {
	return &tenants{cluster: cluster, passing: map[kv.SaltID]bool{}}
}

// secret is the cluster's, as far as known.
func (t *tenants) secret() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cluster
}

// of derives a tenant's secrets.
func (t *tenants) of(name string) *kv.Tenant {
	t.mu.Lock()
	defer t.mu.Unlock()
	tenant := kv.NewTenant(t.cluster, name)
	if !t.stored {
		t.passing[tenant.ID] = true
	}
	return tenant
}

// sign returns a tenant's keyed digest of a text: HMAC-SHA-256 under the cluster's secret, of the purpose, the tenant and the
// text, each but the last with its length before it.
func (t *tenants) sign(name, text string) []byte {
	mac := hmac.New(sha256.New, t.secret())
	for _, part := range []string{"agent-memory thought", name} {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(part))) // a hash takes all
		_, _ = mac.Write([]byte(part))
	}
	_, _ = mac.Write([]byte(text))
	return mac.Sum(nil)
}

// settle takes the secret that is the cluster's.
func (t *tenants) settle(secret []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stored && bytes.Equal(secret, t.cluster) {
		t.passing = map[kv.SaltID]bool{}
	}
	t.cluster, t.stored = secret, true
}

// keeps tells whether blocks under the salt are found again after a restart.
func (t *tenants) keeps(salt kv.SaltID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stored && !t.passing[salt]
}

// isStored tells whether the secret is the cluster's.
func (t *tenants) isStored() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stored
}
