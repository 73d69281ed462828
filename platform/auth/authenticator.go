package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Fixed is a key of the settings: it holds for as long as the process.
type Fixed struct {
	Secret string
	Key    Key
}

// Config describes an authenticator.
type Config struct {
	Fixed     []Fixed
	Directory Directory // of all other keys; nil: there are none
	// Required says that a key was made at some time. As long as that is not so, and no key is fixed, any key
	// and none are taken, for everything.
	Required bool
	// Require is told once that the first key was made. It may be nil.
	Require func()
	// Used is told of the uses of the directory's keys, at every request. It may be nil.
	Used func(id string)
}

// Authenticator decides who may go on. It asks the settings first, then what it knows of the directory, and
// then that.
type Authenticator struct {
	fixed    []fixedKey
	known    *known // nil without a directory
	used     func(id string)
	required atomic.Bool
	first    sync.Once
	require  func()
}

type fixedKey struct {
	hash Hash
	key  Key
}

// New returns an authenticator.
func New(cfg Config) *Authenticator {
	a := &Authenticator{used: cfg.Used, require: cfg.Require}
	for _, f := range cfg.Fixed {
		a.fixed = append(a.fixed, fixedKey{HashOf(f.Secret), f.Key})
	}
	if a.used == nil {
		a.used = func(string) {}
	}
	if cfg.Directory != nil {
		a.known = newKnown(cfg.Directory)
	}
	a.required.Store(cfg.Required)
	return a
}

// IsOpen tells whether requests need no key.
func (a *Authenticator) IsOpen() bool { return len(a.fixed) == 0 && !a.required.Load() }

// Sync learns from the directory which keys hold no longer, and cuts their requests. What it knows is good
// for KnownFor from then on.
func (a *Authenticator) Sync(ctx context.Context) error {
	if a.known == nil {
		return nil
	}
	made, err := a.known.sync(ctx)
	if err == nil && made {
		a.close()
	}
	return err
}

// close asks for keys from now on.
func (a *Authenticator) close() {
	a.first.Do(func() {
		if !a.required.Swap(true) && a.require != nil {
			a.require()
		}
	})
}

// attempts is how often a key is looked up whose standing changes meanwhile.
const attempts = 3

// Admit returns the request with who makes it, if its key may be used for something. Its context ends with
// the key. leave is to be called at the end. The error is a *Refusal.
func (a *Authenticator) Admit(r *http.Request, scope Scope) (admitted *http.Request, leave func(), err error) {
	if a.IsOpen() {
		return r.WithContext(With(r.Context(), Principal{Tenant: DefaultTenant})), func() {}, nil
	}
	for range attempts {
		f, err := a.identify(r, scope)
		if err != nil {
			return nil, nil, err
		}
		ctx := With(r.Context(), Principal{Tenant: f.key.Tenant, Key: f.key.ID})
		if f.fixed {
			return r.WithContext(ctx), func() {}, nil
		}
		if ctx, leave, ok := a.known.enter(ctx, f); ok {
			a.used(f.key.ID)
			return r.WithContext(ctx), leave, nil
		}
	}
	return nil, nil, unavailable()
}

// finding is a key that was found, and as of when.
type finding struct {
	key      Key
	fixed    bool
	revision int64 // of the directory
}

// identify returns the first of the request's keys that may be used for something.
func (a *Authenticator) identify(r *http.Request, scope Scope) (finding, error) {
	why := missing()
	for _, secret := range presented(r) {
		f, err := a.find(r.Context(), HashOf(secret))
		switch {
		case errors.Is(err, ErrUnknown):
			continue
		case err != nil:
			why = worse(why, unavailable())
		case !f.key.Expires.IsZero() && !time.Now().Before(f.key.Expires):
			why = worse(why, expired())
		case !f.key.May(scope):
			why = worse(why, forbidden(scope))
		default:
			return f, nil
		}
	}
	return finding{}, why
}

// worse keeps the refusal that says more: that a key is none says least.
func worse(a, b *Refusal) *Refusal {
	if a.Status == http.StatusUnauthorized {
		return b
	}
	return a
}

// find looks a key up. The settings' keys are all compared, in a time that tells nothing about them.
func (a *Authenticator) find(ctx context.Context, hash Hash) (finding, error) {
	at := -1
	for i := range a.fixed {
		if subtle.ConstantTimeCompare(hash[:], a.fixed[i].hash[:]) == 1 {
			at = i
		}
	}
	switch {
	case at >= 0:
		return finding{key: a.fixed[at].key, fixed: true}, nil
	case a.known == nil:
		return finding{}, ErrUnknown
	}
	return a.known.find(ctx, hash)
}
