package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/platform/auth"
)

// sent is a request that brings a header.
func sent(header, value string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set(header, value)
	return r
}

// admit asks to use a key, and returns the request that goes on, with its end, or the status of the refusal.
func admit(a *auth.Authenticator, key string, scope auth.Scope) (r *http.Request, leave func(), status int) {
	r, leave, err := a.Admit(sent("X-Api-Key", key), scope)
	var refusal *auth.Refusal
	if errors.As(err, &refusal) {
		return nil, nil, refusal.Status
	}
	return r, leave, http.StatusOK
}

func wantStatus(t *testing.T, a *auth.Authenticator, key string, want int) {
	t.Helper()
	_, leave, status := admit(a, key, "use")
	if status != want {
		t.Errorf("key %q: %d, want %d", key, status, want)
	}
	if leave != nil {
		leave()
	}
}

func TestKeysAreTakenFromBothHeaders(t *testing.T) {
	use := []auth.Scope{"use"}
	keys := auth.New(auth.Config{Fixed: []auth.Fixed{
		{Secret: "one", Key: auth.Key{ID: "first", Tenant: "a", Scopes: use}}, {Secret: "two", Key: auth.Key{ID: "second", Tenant: "a", Scopes: use}},
	}})
	for _, c := range []struct{ header, value, key string }{
		{"X-Api-Key", "one", "first"},
		{"X-Api-Key", " two ", "second"},
		{"Authorization", "Bearer two", "second"},
		{"Authorization", "bearer one", "first"},
		{"Authorization", "one", ""},
		{"Authorization", "Basic one", ""},
		{"X-Api-Key", "on", ""},
		{"X-Api-Key", "onee", ""},
		{"X-Api-Key", "", ""},
	} {
		r, leave, err := keys.Admit(sent(c.header, c.value), "use")
		if c.key == "" {
			var refusal *auth.Refusal
			if !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized {
				t.Errorf("%s: %q: %v", c.header, c.value, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %q: %v", c.header, c.value, err)
			continue
		}
		leave()
		if who := auth.From(r.Context()); who != (auth.Principal{Tenant: "a", Key: c.key}) {
			t.Errorf("%s: %q gives %+v", c.header, c.value, who)
		}
	}
}

// Of two keys the one counts that may do it, whichever header brings it.
func TestOneOfTwoKeysIsEnough(t *testing.T) {
	keys := auth.New(auth.Config{Fixed: []auth.Fixed{
		{Secret: "user", Key: auth.Key{ID: "user", Scopes: []auth.Scope{"use"}}}, {Secret: "operator", Key: auth.Key{ID: "operator", Scopes: []auth.Scope{"rule"}}},
	}})
	r := sent("X-Api-Key", "user")
	r.Header.Set("Authorization", "Bearer operator")
	for scope, want := range map[auth.Scope]string{"use": "user", "rule": "operator"} {
		admitted, leave, err := keys.Admit(r, scope)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if got := auth.From(admitted.Context()).Key; got != want {
			t.Errorf("to %s it is %s", scope, got)
		}
	}
	if _, _, status := admit(keys, "user", "rule"); status != http.StatusForbidden {
		t.Errorf("a user rules: %d", status)
	}
}

func TestWithoutKeysAnyIsTaken(t *testing.T) {
	for _, key := range []string{"", "anything"} {
		r, leave, status := admit(auth.New(auth.Config{}), key, "use")
		if status != http.StatusOK || auth.From(r.Context()).Tenant != auth.DefaultTenant {
			t.Errorf("%q gives %d", key, status)
		}
		leave()
	}
}

// shelf is a directory in memory.
type shelf struct {
	mu       sync.Mutex
	keys     map[auth.Hash]auth.Key // that hold
	revision int64
	away     error
	ids      []string // that were asked about last
	looked   int      // how often for the revision
	asked    int      // how often for a hash
	between  func()   // runs between a lookup's two questions
}

func newShelf() *shelf {
	return &shelf{keys: map[auth.Hash]auth.Key{}, between: func() {}}
}

func (s *shelf) make(secret string, k auth.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[auth.HashOf(secret)] = k
	s.revision++
}

func (s *shelf) revoke(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, auth.HashOf(secret))
	s.revision++
}

func (s *shelf) leave(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

func (s *shelf) Revision(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked++
	return s.revision, s.away
}

func (s *shelf) Find(_ context.Context, hash auth.Hash) (auth.Key, error) {
	s.mu.Lock()
	s.asked++
	k, ok := s.keys[hash]
	err := s.away
	s.mu.Unlock()
	s.between()
	if err == nil && !ok {
		err = auth.ErrUnknown
	}
	return k, err
}

func (s *shelf) Held(_ context.Context, ids []string) (held []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = ids
	for _, k := range s.keys {
		for _, id := range ids {
			if k.ID == id {
				held = append(held, id)
			}
		}
	}
	return held, s.away
}
