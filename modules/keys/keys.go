package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/platform/auth"
)

// Errors that operators are told.
var (
	ErrBootstrap = errors.New("the key comes from the settings")
	ErrFirst     = errors.New("the first key must have the scope admin: it ends that requests need no key, and without it nobody could make another one")
	errNoStore   = errors.New("the database is not open")
)

// Settings are those of the keys.
type Settings struct {
	Bootstrap []Key // of the settings, which are shown and can't be revoked
	// Sync has what asks for keys learn what changed.
	Sync func(context.Context) error
	// IsOpen tells whether requests need no key yet.
	IsOpen func() bool
	Log    *slog.Logger
}

// Keys are all API keys. It is the directory in which they are looked up.
type Keys struct {
	cfg   Settings
	store atomic.Pointer[Store]
	wake  chan struct{} // holds a token when something changed

	mu   sync.Mutex
	uses map[string]time.Time // not written yet
}

var _ auth.Directory = (*Keys)(nil)

// New returns the keys of the settings, until Use tells where the others are.
func New(cfg Settings) *Keys {
	return &Keys{cfg: cfg, wake: make(chan struct{}, 1), uses: map[string]time.Time{}}
}

// Use has keys kept in a store, which whoever opened it closes.
func (k *Keys) Use(s Store) {
	k.store.Store(&s)
	k.awake()
}

func (k *Keys) awake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *Keys) open() (Store, error) {
	if s := k.store.Load(); s != nil {
		return *s, nil
	}
	return nil, errNoStore
}

// Wanted is a key that is to be made.
type Wanted struct {
	Name    string
	Tenant  string
	Scopes  []auth.Scope
	Expires time.Time
}

// Create makes a key and returns it with what clients have to send, which nobody can tell later.
func (k *Keys) Create(ctx context.Context, w Wanted) (made Key, secret string, err error) {
	now := time.Now().UTC()
	secret = newSecret()
	made = Key{
		ID: newID(now), Prefix: secret[:len(secretForm)+shownLetters], Name: w.Name, Tenant: w.Tenant,
		Scopes: inOrder(w.Scopes), Created: now, Expires: w.Expires.UTC(),
	}
	if a := made.Auth(); k.cfg.IsOpen() && !a.May(Admin) {
		return Key{}, "", ErrFirst
	}
	store, err := k.open()
	if err == nil {
		err = store.Create(ctx, made, auth.HashOf(secret))
	}
	if err == nil {
		err = k.cfg.Sync(ctx)
	}
	if err != nil {
		return Key{}, "", fmt.Errorf("make a key of tenant %q: %w", w.Tenant, err)
	}
	return made, secret, nil
}

// Get returns a key, or ErrNotFound.
func (k *Keys) Get(ctx context.Context, id string) (Key, error) {
	if b := k.bootstrap(id); b != nil {
		return *b, nil
	}
	store, err := k.open()
	if err != nil {
		return Key{}, err
	}
	return store.Get(ctx, id)
}

func (k *Keys) bootstrap(id string) *Key {
	for i := range k.cfg.Bootstrap {
		if k.cfg.Bootstrap[i].ID == id {
			return &k.cfg.Bootstrap[i]
		}
	}
	return nil
}

// List returns a page of keys and the cursor of the next one, empty at the end. Those of the settings come
// first.
func (k *Keys) List(ctx context.Context, f Filter) (page []Key, next string, err error) {
	for _, b := range k.cfg.Bootstrap {
		if b.ID > f.After && (f.Tenant == "" || f.Tenant == b.Tenant) && len(page) <= f.Limit {
			page = append(page, b)
		}
	}
	store, err := k.open()
	if err != nil {
		return nil, "", err
	}
	rest := f
	rest.Limit = f.Limit + 1 - len(page)
	if rest.Limit > 0 {
		stored, err := store.List(ctx, rest)
		if err != nil {
			return nil, "", err
		}
		page = append(page, stored...)
	}
	if len(page) > f.Limit {
		page = page[:f.Limit]
		next = page[f.Limit-1].ID
	}
	return page, next, nil
}

// Revoke ends a key: from then on no request begins with it, and those under way are cut. ErrBootstrap: only
// the settings can.
func (k *Keys) Revoke(ctx context.Context, id string) (Key, error) {
	if b := k.bootstrap(id); b != nil {
		return *b, ErrBootstrap
	}
	store, err := k.open()
	if err != nil {
		return Key{}, err
	}
	revoked, err := store.Revoke(ctx, id, time.Now().UTC())
	if err != nil {
		return Key{}, err
	}
	if err := k.cfg.Sync(ctx); err != nil {
		k.awake() // it is revoked, and this node learns of it as the others do
	}
	return revoked, nil
}

// mostRevoked is how many keys of a tenant are looked at in one query.
const mostRevoked = 500

// RevokeAll revokes all keys of a tenant but those of the settings, and returns how many it revoked.
func (k *Keys) RevokeAll(ctx context.Context, tenant string) (revoked int, err error) {
	store, err := k.open()
	if err != nil {
		return 0, err
	}
	for f := (Filter{Tenant: tenant, Limit: mostRevoked}); ; {
		page, err := store.List(ctx, f)
		if err != nil {
			return revoked, err
		}
		for _, key := range page {
			if !key.Revoked.IsZero() {
				continue
			}
			if _, err := k.Revoke(ctx, key.ID); err != nil {
				return revoked, err
			}
			revoked++
		}
		if len(page) < f.Limit {
			return revoked, nil
		}
		f.After = page[len(page)-1].ID
	}
}

// Revision implements auth.Directory.
func (k *Keys) Revision(ctx context.Context) (int64, error) {
	store, err := k.open()
	if err != nil {
		return 0, err
	}
	return store.Revision(ctx)
}

// Find implements auth.Directory.
func (k *Keys) Find(ctx context.Context, hash auth.Hash) (auth.Key, error) {
	store, err := k.open()
	if err != nil {
		return auth.Key{}, err
	}
	return store.Find(ctx, hash)
}

// Held implements auth.Directory.
func (k *Keys) Held(ctx context.Context, ids []string) ([]string, error) {
	store, err := k.open()
	if err != nil {
		return nil, err
	}
	return store.Held(ctx, ids)
}
