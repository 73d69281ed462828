// Package auth tells which tenant a request belongs to, by its API key.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

// DefaultTenant owns all keys of the settings, and what comes without a key over loopback.
const DefaultTenant = "default"

// Principal is who makes a request.
type Principal struct {
	Tenant string
	Key    string // names the key without telling it; empty without one
}

// Keys knows the keys that are accepted. With none it takes any key, or none: the server then listens on loopback
// only.
type Keys struct {
	hashes [][sha256.Size]byte
	admin  *[sha256.Size]byte // nil: there is no admin key
}

// NewKeys returns the set of the given keys.
func NewKeys(keys []string) *Keys {
	k := &Keys{}
	for _, key := range keys {
		k.hashes = append(k.hashes, sha256.Sum256([]byte(key)))
	}
	return k
}

// WithAdmin sets the key of operators; an empty one is none. It is no key of a tenant.
func (k *Keys) WithAdmin(key string) *Keys {
	if key != "" {
		hash := sha256.Sum256([]byte(key))
		k.admin = &hash
	}
	return k
}

// Administers tells whether the request may use the operators' endpoints, and if not, why. Without an admin key only
// a server without any key, which listens on loopback only, lets operators in.
func (k *Keys) Administers(r *http.Request) (ok, known bool, why string) {
	if k.admin == nil {
		return len(k.hashes) == 0, true, "this server has no admin key; set SEMANTIC_ADMIN_KEY to use what is under /admin"
	}
	keys := presented(r)
	for _, key := range keys {
		hash := sha256.Sum256([]byte(key))
		if subtle.ConstantTimeCompare(hash[:], k.admin[:]) == 1 {
			return true, true, ""
		}
	}
	if len(keys) == 0 {
		return false, false, "missing admin key; send it as x-api-key or as Authorization: Bearer"
	}
	return false, true, "this is not the admin key"
}

// Identify returns who makes the request, and false if it has no key that is accepted.
func (k *Keys) Identify(r *http.Request) (Principal, bool) {
	if len(k.hashes) == 0 {
		return Principal{Tenant: DefaultTenant}, true
	}
	for _, key := range presented(r) {
		if k.known(key) {
			return Principal{Tenant: DefaultTenant, Key: fingerprint(key)}, true
		}
	}
	return Principal{}, false
}

// known compares the key with every accepted one, in a time that tells nothing about them.
func (k *Keys) known(key string) bool {
	hash, found := sha256.Sum256([]byte(key)), 0
	for i := range k.hashes {
		found |= subtle.ConstantTimeCompare(hash[:], k.hashes[i][:])
	}
	return found == 1
}

// presented lists the keys that the request brings, at most one of each kind.
func presented(r *http.Request) []string {
	var keys []string
	if key := strings.TrimSpace(r.Header.Get("X-Api-Key")); key != "" {
		keys = append(keys, key)
	}
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); found && strings.EqualFold(scheme, "Bearer") && token != "" {
		keys = append(keys, token)
	}
	return keys
}

func fingerprint(key string) string {
	hash := sha256.Sum256([]byte("key name\x00" + key))
	return hex.EncodeToString(hash[:8])
}

type principalKey struct{}

// With returns a context that carries who makes the request.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who makes the request. Without one, the tenant is empty.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// Require lets only requests with an accepted key through to next and passes the others to refuse.
func (k *Keys) Require(next http.Handler, refuse func(http.ResponseWriter, *http.Request, string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := k.Identify(r)
		if !ok {
			refuse(w, r, "invalid or missing API key; send one as x-api-key or as Authorization: Bearer")
			return
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), who)))
	})
}
