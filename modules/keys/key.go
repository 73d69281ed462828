// Package keys keeps the API keys that operators make: who they are, whose memory they reach and what for.
// Keys of the settings are shown beside them, and can't be revoked here. The keys themselves are nowhere: a
// store has their hashes.
package keys

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/platform/auth"
)

// What a key may be used for.
const (
	Messages auth.Scope = "messages" // conversations: everything under /v1 but the agents
	Agents   auth.Scope = "agents"   // its tenant's agents
	Admin    auth.Scope = "admin"    // every tenant's agents, the pool, and keys
)

// Scopes are all scopes.
func Scopes() []auth.Scope { return []auth.Scope{Messages, Agents, Admin} }

// Key is what is known of an API key.
type Key struct {
	ID      string // ordered by creation
	Prefix  string // how the key begins
	Name    string // for people
	Tenant  string
	Scopes  []auth.Scope
	Created time.Time
	Expires time.Time // zero: never
	Revoked time.Time // zero: not
	Used    time.Time // last, to the minute; zero: never, as far as known

	Variable string // the setting that it comes from; empty for a key of the store
}

// Auth is the key as requests are held to it.
func (k *Key) Auth() auth.Key {
	return auth.Key{ID: k.ID, Tenant: k.Tenant, Scopes: k.Scopes, Expires: k.Expires}
}

const (
	secretForm   = "am-" // how keys begin
	secretLength = 43    // letters behind that: 256 bits
	shownLetters = 6     // of them, to recognise a key by
	letters      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// newSecret draws a key.
func newSecret() string {
	secret := []byte(secretForm)
	var random [64]byte
	for len(secret) < len(secretForm)+secretLength {
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			// Bytes beyond the last whole multiple would make some letters likelier.
			if int(b) < 256/len(letters)*len(letters) && len(secret) < len(secretForm)+secretLength {
				secret = append(secret, letters[int(b)%len(letters)])
			}
		}
	}
	return string(secret)
}

// newID names a key that is made now: later ones have later names.
func newID(now time.Time) string {
	var id [15]byte
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(id[6:]) // never fails
	return "key_" + strings.ToLower(base32.HexEncoding.EncodeToString(id[:]))
}

// JoinScopes writes scopes as stores keep them.
func JoinScopes(scopes []auth.Scope) string {
	all := make([]string, len(scopes))
	for i, scope := range scopes {
		all[i] = string(scope)
	}
	return strings.Join(all, " ")
}

// SplitScopes reads what JoinScopes wrote.
func SplitScopes(joined string) (scopes []auth.Scope) {
	for _, scope := range strings.Fields(joined) {
		scopes = append(scopes, auth.Scope(scope))
	}
	return scopes
}

// inOrder returns the scopes in the order of Scopes, each once.
func inOrder(scopes []auth.Scope) []auth.Scope {
	return slices.DeleteFunc(Scopes(), func(scope auth.Scope) bool { return !slices.Contains(scopes, scope) })
}
