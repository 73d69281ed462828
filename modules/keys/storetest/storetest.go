// Package storetest is what every store of API keys must pass.
package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/modules/keys"
	"github.com/agent-memory/agent-memory/platform/auth"
)

// Run tests stores. Each call of open with the same place opens what was stored there before.
func Run(t *testing.T, open func(t *testing.T, place string) keys.Store) {
	for name, test := range map[string]func(*testing.T, func() keys.Store){
		"KeysSurviveReopening":       survive,
		"FindsByHashAlone":           finds,
		"ARevokedKeyIsFoundNoMore":   revokes,
		"EveryChangeIsARevision":     revises,
		"ChangesAtOnceAllCount":      changesAtOnce,
		"ListsByCursorAndTenant":     lists,
		"NotesTheLatestUse":          notes,
		"TellsStrangeNamesApart":     strange,
		"AHashBelongsToOneKey":       oneHash,
		"TellsWhichOfManyKeysHold":   holds,
		"ARefusedKeyIsNoNewRevision": refused,
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			test(t, func() keys.Store { return open(t, place) })
		})
	}
}

// key makes a key; its hash is that of its id.
func key(id, tenant string) keys.Key {
	return keys.Key{
		ID: id, Prefix: "am-" + id, Name: "name of " + id, Tenant: tenant, Scopes: []auth.Scope{keys.Messages, keys.Admin},
		Created: time.Unix(100, 5).UTC(), Expires: time.Unix(1<<33, 7).UTC(),
	}
}

func create(t *testing.T, s keys.Store, k keys.Key) {
	t.Helper()
	if err := s.Create(t.Context(), k, auth.HashOf(k.ID)); err != nil {
		t.Fatal(err)
	}
}

func revision(t *testing.T, s keys.Store) int64 {
	t.Helper()
	n, err := s.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantKey(t *testing.T, s keys.Store, want keys.Key) {
	t.Helper()
	if got, err := s.Get(t.Context(), want.ID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func survive(t *testing.T, open func() keys.Store) {
	s, a, never := open(), key("a", "t"), key("b", "t")
	never.Expires = time.Time{}
	create(t, s, a)
	create(t, s, never)
	s = open()
	wantKey(t, s, a)
	wantKey(t, s, never)
	if _, err := s.Get(t.Context(), "c"); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("a key that there never was: %v", err)
	}
}

func finds(t *testing.T, open func() keys.Store) {
	s, a := open(), key("a", "t")
	create(t, s, a)
	create(t, s, key("b", "u"))
	if got, err := s.Find(t.Context(), auth.HashOf("a")); err != nil || !reflect.DeepEqual(got, a.Auth()) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, hash := range []auth.Hash{{}, auth.HashOf("am-a"), auth.HashOf("c")} {
		if got, err := s.Find(t.Context(), hash); !errors.Is(err, auth.ErrUnknown) {
			t.Errorf("another hash finds %+v, %v", got, err)
		}
	}
}

func revokes(t *testing.T, open func() keys.Store) {
	s, a, first := open(), key("a", "t"), time.Unix(500, 1).UTC()
	create(t, s, a)
	create(t, s, key("b", "t"))
	for _, at := range []time.Time{first, first.Add(time.Hour)} {
		a.Revoked = first
		if got, err := s.Revoke(t.Context(), "a", at); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v, %v, want %+v", got, err, a)
		}
	}
	s = open()
	wantKey(t, s, a)
	if got, err := s.Find(t.Context(), auth.HashOf("a")); !errors.Is(err, auth.ErrUnknown) {
		t.Errorf("a revoked key is found: %+v, %v", got, err)
	}
	if _, err := s.Find(t.Context(), auth.HashOf("b")); err != nil {
		t.Errorf("the other key: %v", err)
	}
	if _, err := s.Revoke(t.Context(), "c", first); !errors.Is(err, keys.ErrNotFound) {
		t.Errorf("a key that there never was: %v", err)
	}
}

func revises(t *testing.T, open func() keys.Store) {
	s := open()
	if n := revision(t, s); n != 0 {
		t.Errorf("before the first key: %d", n)
	}
	create(t, s, key("a", "t"))
	made := revision(t, s)
	if err := s.Note(t.Context(), map[string]time.Time{"a": time.Unix(3, 0)}); err != nil || made == 0 || revision(t, s) != made {
		t.Errorf("%d, and %d after a use, %v", made, revision(t, s), err)
	}
	if _, err := s.Revoke(t.Context(), "a", time.Unix(4, 0)); err != nil {
		t.Fatal(err)
	}
	ended := revision(t, open())
	if _, err := s.Revoke(t.Context(), "a", time.Unix(5, 0)); err != nil || ended == made || revision(t, s) != ended {
		t.Errorf("%d after it was made, %d after it was revoked, %d after again, %v", made, ended, revision(t, s), err)
	}
}

func changesAtOnce(t *testing.T, open func() keys.Store) {
	const many = 20
	s := open()
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			k := key(fmt.Sprint("k", i), "t")
			err := s.Create(t.Context(), k, auth.HashOf(k.ID))
			if err == nil {
				_, err = s.Revoke(t.Context(), k.ID, time.Unix(9, 0))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := revision(t, s); n != 2*many {
		t.Errorf("%d changes are %d revisions", 2*many, n)
	}
}

func lists(t *testing.T, open func() keys.Store) {
	s := open()
	for i := range 25 {
		create(t, s, key(fmt.Sprintf("k%02d", i), fmt.Sprint("t", i%2)))
	}
	if _, err := s.Revoke(t.Context(), "k03", time.Unix(9, 0)); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]int{"": 25, "t0": 13, "t1": 12, "t": 0} {
		var got []string
		f := keys.Filter{Tenant: tenant, Limit: 10}
		for pages := 0; pages < 10; pages++ {
			page, err := s.List(t.Context(), f)
			if err != nil || len(page) > f.Limit {
				t.Fatalf("%d keys, %v", len(page), err)
			}
			for _, k := range page {
				got = append(got, k.ID)
				f.After = k.ID
			}
			if len(page) < f.Limit {
				break
			}
		}
		if !slices.IsSorted(got) || len(slices.Compact(got)) != want {
			t.Errorf("tenant %q has %v", tenant, got)
		}
	}
}

func notes(t *testing.T, open func() keys.Store) {
	s, a, b := open(), key("a", "t"), key("b", "t")
	create(t, s, a)
	create(t, s, b)
	a.Used, b.Used = time.Unix(70, 3).UTC(), time.Unix(50, 0).UTC()
	for _, uses := range []map[string]time.Time{{"a": time.Unix(60, 0), "b": b.Used}, {"a": a.Used, "none": a.Used}, {"a": time.Unix(65, 0)}, {}} {
		if err := s.Note(t.Context(), uses); err != nil {
			t.Error(err)
		}
	}
	wantKey(t, s, a)
	wantKey(t, s, b)
}

func strange(t *testing.T, open func() keys.Store) {
	s := open()
	for i, tenant := range []string{"ü", "Ü", "u", "a b", "'", "%", "日本", "🙂"} {
		k := key(fmt.Sprint("k", i), tenant)
		k.Name = tenant
		create(t, s, k)
		wantKey(t, s, k)
		if page, err := s.List(t.Context(), keys.Filter{Tenant: tenant, Limit: 10}); err != nil || len(page) != 1 || page[0].ID != k.ID {
			t.Errorf("tenant %q has %+v, %v", tenant, page, err)
		}
	}
	for _, id := range []string{"", "\x00", "k\x00", "\xff", "'"} {
		if k, err := s.Get(t.Context(), id); !errors.Is(err, keys.ErrNotFound) {
			t.Errorf("%q is %+v, %v", id, k, err)
		}
		if k, err := s.Revoke(t.Context(), id, time.Unix(1, 0)); !errors.Is(err, keys.ErrNotFound) {
			t.Errorf("%q is revoked: %+v, %v", id, k, err)
		}
	}
}

func oneHash(t *testing.T, open func() keys.Store) {
	s, a := open(), key("a", "t")
	create(t, s, a)
	if err := s.Create(t.Context(), key("b", "u"), auth.HashOf("a")); err == nil {
		t.Error("two keys have one hash")
	}
	if got, err := s.Find(t.Context(), auth.HashOf("a")); err != nil || got.ID != "a" {
		t.Errorf("%+v, %v", got, err)
	}
}

func refused(t *testing.T, open func() keys.Store) {
	s := open()
	create(t, s, key("a", "t"))
	before := revision(t, s)
	if err := s.Create(t.Context(), key("a", "t"), auth.HashOf("other")); err == nil || revision(t, s) != before {
		t.Errorf("%v, revision %d became %d", err, before, revision(t, s))
	}
	if _, err := s.Revoke(t.Context(), "none", time.Unix(1, 0)); err == nil || revision(t, s) != before {
		t.Errorf("%v, revision %d became %d", err, before, revision(t, s))
	}
}

func holds(t *testing.T, open func() keys.Store) {
	s := open()
	asked, want := []string{"none"}, []string{}
	for i := range 2000 {
		id := fmt.Sprintf("k%04d", i)
		if asked = append(asked, id); i >= 6 {
			continue
		}
		create(t, s, key(id, "t"))
		if i%2 == 1 {
			want = append(want, id)
			continue
		}
		if _, err := s.Revoke(t.Context(), id, time.Unix(9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	held, err := s.Held(t.Context(), asked)
	if slices.Sort(held); err != nil || !slices.Equal(held, want) {
		t.Errorf("%v hold, %v, want %v", held, err, want)
	}
}
