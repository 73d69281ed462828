// Package auth tells who makes a request and what it may do, by its API key.
package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// DefaultTenant owns what comes without a key over loopback.
const DefaultTenant = "default"

// Scope is a kind of thing that a key may be used for.
type Scope string

// Hash is the SHA-256 of a key. Keys are random enough that nothing slower is needed.
type Hash = [sha256.Size]byte

// HashOf returns a key's hash.
func HashOf(key string) Hash { return sha256.Sum256([]byte(key)) }

// Key is what is known of an API key beside the key itself.
type Key struct {
	ID      string
	Tenant  string
	Scopes  []Scope
	Expires time.Time // zero: never
}

// May tells whether the key may be used for something.
func (k *Key) May(scope Scope) bool { return slices.Contains(k.Scopes, scope) }

// Principal is who makes a request.
type Principal struct {
	Tenant string
	Key    string // names the key without telling it; empty without one
}

// Errors by which the context of a request ends before the request, and what a Directory returns.
var (
	ErrRevoked = errors.New("the API key was revoked")
	ErrExpired = errors.New("the API key has expired")
	ErrUnknown = errors.New("there is no such API key")
)

// IsEnded tells whether a request was cut since its key is one no longer.
func IsEnded(err error) bool { return errors.Is(err, ErrRevoked) || errors.Is(err, ErrExpired) }

// Refusal is why a request may not go on, as an HTTP status and words for the client.
type Refusal struct {
	Status  int
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func missing() *Refusal {
	return &Refusal{http.StatusUnauthorized, "invalid or missing API key; send one as x-api-key or as Authorization: Bearer"}
}

func expired() *Refusal {
	return &Refusal{http.StatusUnauthorized, "the API key has expired; ask the operator for another one"}
}

func forbidden(scope Scope) *Refusal {
	return &Refusal{http.StatusForbidden, "this API key may not be used here: it lacks the scope " + string(scope)}
}

func unavailable() *Refusal {
	return &Refusal{http.StatusServiceUnavailable, "this API key can't be checked now, since the database can't be reached; retry after the time in retry-after"}
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
