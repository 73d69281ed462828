package storetest

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

func recordsSurvive(t *testing.T, open func() agents.Store) {
	s := open()
	odd := "a/b%2F ü\"'; DROP TABLE agents; --"
	want := record(odd, chain(9, 1, 2), chain(0, 1))
	want.TTL, want.RetainUntil = time.Hour, time.Unix(300, 0).UTC()
	want = put(t, s, want)
	want.Used = want.Used.Add(time.Second)
	want = put(t, s, want)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	got, err := s.Get(t.Context(), "t", odd)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, other := range [][2]string{{"t", "none"}, {"other", odd}, {"", odd}} {
		if _, err := s.Get(t.Context(), other[0], other[1]); !errors.Is(err, agents.ErrNotFound) {
			t.Errorf("%v: %v", other, err)
		}
	}
}

func onlyOneWins(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	first := put(t, s, record("a"))
	if _, err := change(t, s, agents.Record{}, record("a")); !errors.Is(err, agents.ErrConflict) {
		t.Errorf("made twice: %v", err)
	}
	put(t, s, first)
	if _, err := change(t, s, first, first); !errors.Is(err, agents.ErrConflict) {
		t.Errorf("an old version was taken: %v", err)
	}
	unborn := record("b")
	unborn.Version = 3
	if _, err := change(t, s, unborn, unborn); !errors.Is(err, agents.ErrConflict) {
		t.Errorf("a version of nothing was taken: %v", err)
	}
}

func losersMerge(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	var writers sync.WaitGroup
	for i := range byte(6) {
		writers.Go(func() {
			for {
				r, err := s.Get(t.Context(), "t", "a")
				if errors.Is(err, agents.ErrNotFound) {
					r, err = record("a"), nil // its was: nothing
				}
				if err != nil {
					t.Error(err)
					return
				}
				was := r
				r.Heads = slices.Clone(r.Heads)
				r.Add(agents.Use{Chain: chain(0, 100+i), At: time.Unix(int64(i), 0)})
				if _, err = change(t, s, was, r); err == nil {
					return
				}
				if !errors.Is(err, agents.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if r, err := s.Get(t.Context(), "t", "a"); err != nil || len(r.Heads) != 6 || r.Version != 6 {
		t.Errorf("%d heads, version %d, %v", len(r.Heads), r.Version, err)
	}
}

func writesChanges(t *testing.T, open func() agents.Store) {
	s := open()
	was := put(t, s, record("a", chain(9, 1, 2), chain(0, 1, 5)))
	is := was
	is.Heads = slices.Clone(was.Heads)
	is.Add(agents.Use{Chain: chain(8, 1, 2, 3), From: kv.Key{9}, At: time.Unix(2000, 0).UTC()})
	version, err := change(t, s, was, is)
	if err != nil || version != was.Version+1 {
		t.Fatalf("version %d, %v", version, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	is.Version = version
	if got, err := s.Get(t.Context(), "t", "a"); err != nil || !reflect.DeepEqual(got, is) {
		t.Errorf("got %+v, %v, want %+v", got, err, is)
	}
	wantUnowned(t, s, chain(9, 1, 2, 3, 5, 8), 9)
	none := is
	none.Heads = nil
	if _, err := change(t, s, is, none); err != nil {
		t.Fatal(err)
	}
	wantUnowned(t, s, chain(9, 1, 2, 3, 5, 8), 1, 2, 3, 5, 8, 9)
}

func conflictsChangeNothing(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	old := put(t, s, record("a", chain(0, 1)))
	want := put(t, s, record("a", chain(0, 1, 2)))
	if _, err := change(t, s, old, record("a", chain(0, 3))); !errors.Is(err, agents.ErrConflict) {
		t.Errorf("an old version was taken: %v", err)
	}
	if _, err := change(t, s, agents.Record{}, record("a", chain(0, 4))); !errors.Is(err, agents.ErrConflict) {
		t.Errorf("made twice: %v", err)
	}
	if got, err := s.Get(t.Context(), "t", "a"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	wantUnowned(t, s, chain(0, 1, 2, 3, 4), 3, 4)
}

// randomChanges makes records of three agents into others, and holds what is stored to a model after each.
func randomChanges(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	model := map[string]agents.Record{}
	for range 150 {
		id := string(rune('a' + random.IntN(3)))
		model[id] = put(t, s, anyRecord(random, id))
		if got, err := s.Get(t.Context(), "t", id); err != nil || !reflect.DeepEqual(got, model[id]) {
			t.Fatalf("got %+v, %v, want %+v", got, err, model[id])
		}
		owned := map[byte]bool{}
		for _, r := range model {
			for _, c := range r.Chains() {
				for _, block := range c.Refs() {
					owned[block.Key[0]] = true
				}
			}
		}
		all := chain(0, 1, 2, 3, 4, 5, 6)
		wantUnowned(t, s, all, slices.DeleteFunc(names(all.Refs()), func(name byte) bool { return owned[name] })...)
	}
}

// anyRecord has up to three conversations. As in real ones, the key of the last block tells all that is
// before it.
func anyRecord(random *rand.Rand, id string) agents.Record {
	var chains []kv.Chain
	for range random.IntN(4) {
		keys := make([]byte, 1+random.IntN(4))
		for i := range keys {
			keys[i] = byte(1 + random.IntN(6))
		}
		c := chain(200, keys...)
		copy(c.Tail[1:], keys)
		if !slices.ContainsFunc(chains, func(other kv.Chain) bool { return other.Tail == c.Tail }) {
			chains = append(chains, c)
		}
	}
	return record(id, chains...)
}

func oneOfManyWins(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	was := agents.Record{}
	for round := range byte(5) {
		var writers sync.WaitGroup
		var won, lost atomic.Int64
		for i := range byte(8) {
			writers.Go(func() {
				is := record("a", chain(0, 10*round+i+1))
				is.Version = was.Version
				switch _, err := change(t, s, was, is); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, agents.ErrConflict):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		writers.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Errorf("%d won and %d lost", won.Load(), lost.Load())
		}
		var err error
		if was, err = s.Get(t.Context(), "t", "a"); err != nil || len(was.Heads) != 1 {
			t.Fatalf("%+v, %v", was, err)
		}
	}
}

func strangeIDs(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	strange := []string{" ", "a", "A", "a ", " a", "\u00e9", "e\u0301", "%", "_", "\\", "'", "\"", "NULL", "\ufffd", "\U0010ffff", "\U0010ffff\U0010ffff",
		"\ue000", "\U0001f600", "a/../b", "\u202e", strings.Repeat("\u00fc", 128), strings.Repeat("x", 255), strings.Repeat("x", 256), "null", "$1", "?", "{}"}
	for i, id := range strange {
		put(t, s, record(id, chain(0, byte(i+1))))
	}
	slices.Sort(strange)
	var listed []string
	for f := (agents.Filter{Tenant: "t", Limit: 4}); ; {
		page, next, err := s.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			listed = append(listed, r.ID)
		}
		if next == (agents.Cursor{}) {
			break
		}
		f.After = next
	}
	if !slices.Equal(listed, strange) {
		t.Errorf("listed %q, want %q", listed, strange)
	}
	for _, id := range strange {
		page, _, err := s.List(t.Context(), agents.Filter{Prefix: id, Limit: 100})
		want := slices.DeleteFunc(slices.Clone(strange), func(other string) bool { return !strings.HasPrefix(other, id) })
		if err != nil || len(page) != len(want) {
			t.Errorf("%d records begin with %q, %v, want %q", len(page), id, err, want)
		}
	}
	neverMistaken(t, s)
}

// neverMistaken checks ids that the API refuses: a store may refuse them too, but takes none for another.
func neverMistaken(t *testing.T, s agents.Store) {
	t.Helper()
	for _, id := range []string{"a\x00", "a\x00b", "\x00", "\xff", "a\xff", "\xed\xa0\x80"} {
		if r, err := s.Get(t.Context(), "t", id); err == nil {
			t.Errorf("%q is taken for %q", id, r.ID)
		}
		if _, err := change(t, s, agents.Record{}, record(id)); err != nil {
			continue
		}
		if r, err := s.Get(t.Context(), "t", id); err != nil || r.ID != id {
			t.Errorf("%q became %q, %v", id, r.ID, err)
		}
	}
}
