package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/platform/auth"
)

var errDown = errors.New("down")

// shelved is an authenticator over a directory with the key "k", which it has not been asked for yet.
func shelved(t *testing.T) (*auth.Authenticator, *shelf) {
	t.Helper()
	s := newShelf()
	s.make("k", auth.Key{ID: "id", Tenant: "t", Scopes: []auth.Scope{"use"}})
	a := auth.New(auth.Config{Directory: s})
	learn(t, a)
	return a, s
}

func learn(t *testing.T, a *auth.Authenticator) {
	t.Helper()
	if err := a.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestAKnownKeyIsNotAskedForAgain(t *testing.T) {
	a, s := shelved(t)
	for range 10 {
		wantStatus(t, a, "k", http.StatusOK)
		wantStatus(t, a, "other", http.StatusUnauthorized)
	}
	if s.asked != 2 {
		t.Errorf("asked %d times", s.asked)
	}
}

func TestARevokedKeyIsRefusedAndItsRequestsAreCut(t *testing.T) {
	a, s := shelved(t)
	s.make("stays", auth.Key{ID: "stays", Scopes: []auth.Scope{"use"}})
	ended, leave, _ := admit(a, "k", "use")
	other, leaveOther, _ := admit(a, "stays", "use")
	defer leaveOther()
	s.revoke("k")
	learn(t, a)
	<-ended.Context().Done()
	if cause := context.Cause(ended.Context()); !errors.Is(cause, auth.ErrRevoked) || !auth.IsEnded(cause) {
		t.Error(cause)
	}
	if other.Context().Err() != nil {
		t.Error("another key's request is cut")
	}
	leave()
	wantStatus(t, a, "k", http.StatusUnauthorized)
	wantStatus(t, a, "stays", http.StatusOK)
	s.make("third", auth.Key{ID: "third"})
	learn(t, a)
	if !slices.Equal(s.ids, []string{"stays"}) {
		t.Errorf("what is kept of keys without requests, or is not of others: %v", s.ids)
	}
}

// A key that is revoked between its lookup and the request's beginning is either refused or cut.
func TestAKeyRevokedWhileItIsLookedUpIsNotTaken(t *testing.T) {
	a, s := shelved(t)
	s.between = func() {
		s.between = func() {}
		s.revoke("k")
		if a.Sync(context.Background()) != nil {
			t.Error("not learned")
		}
	}
	wantStatus(t, a, "k", http.StatusUnauthorized)
	wantStatus(t, a, "k", http.StatusUnauthorized)
}

func TestKeysRevokedUnderManyRequestsAreAllCut(t *testing.T) {
	a, s := shelved(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for {
				r, leave, status := admit(a, "k", "use")
				if status == http.StatusUnauthorized {
					return
				}
				if status == http.StatusOK {
					select {
					case <-r.Context().Done():
					case <-time.After(time.Millisecond):
					}
					leave()
				}
			}
		})
	}
	s.revoke("k")
	learn(t, a)
	all.Wait()
}

func TestAnExpiredKeyIsRefusedAndItsRequestsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := shelved(t)
		s.make("short", auth.Key{ID: "short", Scopes: []auth.Scope{"use"}, Expires: time.Now().Add(time.Minute)})
		r, leave, status := admit(a, "short", "use")
		if status != http.StatusOK {
			t.Fatal(status)
		}
		defer leave()
		time.Sleep(time.Minute)
		synctest.Wait()
		if cause := context.Cause(r.Context()); !errors.Is(cause, auth.ErrExpired) {
			t.Error(cause)
		}
		wantStatus(t, a, "short", http.StatusUnauthorized)
	})
}

// While the directory is away its keys are taken for five minutes after it was last asked, and others can't
// be checked.
func TestKnownKeysOutliveTheDirectoryForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := shelved(t)
		wantStatus(t, a, "k", http.StatusOK)
		s.make("unseen", auth.Key{ID: "unseen", Scopes: []auth.Scope{"use"}})
		time.Sleep(time.Hour)
		learn(t, a)
		s.leave(errDown)
		if err := a.Sync(t.Context()); !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		s.looked = 0
		if wantStatus(t, a, "unseen", http.StatusServiceUnavailable); s.looked != 0 {
			t.Error("a directory that is known to be away is asked for each request")
		}
		time.Sleep(auth.KnownFor - time.Second)
		wantStatus(t, a, "k", http.StatusOK)
		time.Sleep(time.Second)
		wantStatus(t, a, "k", http.StatusServiceUnavailable)
		s.leave(nil)
		learn(t, a)
		wantStatus(t, a, "k", http.StatusOK)
		wantStatus(t, a, "unseen", http.StatusOK)
	})
}

// A key that is made while others like it are refused is taken at once where that is known.
func TestANewKeyIsTakenThoughItWasUnknown(t *testing.T) {
	a, s := shelved(t)
	wantStatus(t, a, "new", http.StatusUnauthorized)
	s.make("new", auth.Key{ID: "new", Scopes: []auth.Scope{"use"}})
	learn(t, a)
	wantStatus(t, a, "new", http.StatusOK)
}

// Whoever tries many keys fills no memory that others need, and does not make known ones forgotten.
func TestManyWrongKeysDisplaceNoneThatHolds(t *testing.T) {
	a, s := shelved(t)
	wantStatus(t, a, "k", http.StatusOK)
	for i := range 20_000 {
		wantStatus(t, a, fmt.Sprint("guess", i), http.StatusUnauthorized)
	}
	s.asked = 0
	wantStatus(t, a, "k", http.StatusOK)
	if wantStatus(t, a, "guess0", http.StatusUnauthorized); s.asked != 1 {
		t.Errorf("asked %d times: of the two only the guess of long ago should be forgotten", s.asked)
	}
}

// Without keys anybody is let in, until the first one is made, also by another node; it stays so when that is
// revoked.
func TestTheFirstKeyEndsThatNoneIsNeeded(t *testing.T) {
	s, told := newShelf(), 0
	a := auth.New(auth.Config{Directory: s, Require: func() { told++ }})
	learn(t, a)
	wantStatus(t, a, "", http.StatusOK)
	s.make("k", auth.Key{ID: "id", Scopes: []auth.Scope{"use"}})
	learn(t, a)
	wantStatus(t, a, "", http.StatusUnauthorized)
	s.revoke("k")
	learn(t, a)
	wantStatus(t, a, "", http.StatusUnauthorized)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	required := auth.New(auth.Config{Directory: newShelf(), Required: true})
	wantStatus(t, required, "", http.StatusUnauthorized)
}
