package keys

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/platform/auth"
)

// ErrNotFound says that there is no such key. Every other error of a store means that it could not be asked.
var ErrNotFound = errors.New("no such key")

// Store keeps keys. Its methods may be called from anywhere, and from several processes.
type Store interface {
	Records
	auth.Directory
}

// Records are the keys as operators see them.
type Records interface {
	// Create stores a key with the hash of what clients will send.
	Create(ctx context.Context, k Key, hash auth.Hash) error
	// Get returns a key, or ErrNotFound.
	Get(ctx context.Context, id string) (Key, error)
	// List returns keys in the order of their creation, revoked ones too.
	List(ctx context.Context, f Filter) ([]Key, error)
	// Revoke ends a key, and returns it. One that was revoked before stays as it is. ErrNotFound: there is
	// none.
	Revoke(ctx context.Context, id string, at time.Time) (Key, error)
	// Note records when keys were used last.
	Note(ctx context.Context, uses map[string]time.Time) error
}

// Watcher is what a store can do besides if several nodes share it.
type Watcher interface {
	// Watch calls changed whenever a key was made or revoked, until ctx ends or the connection is lost. Some
	// may be missed.
	Watch(ctx context.Context, changed func()) error
}

// Filter chooses keys.
type Filter struct {
	Tenant string // empty: all
	After  string // the id of the last key of the page before
	Limit  int
}
