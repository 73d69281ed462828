// Package storetest is what every store of agents' records must pass.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// Run tests stores. Each call of open with the same place opens what was stored there before.
func Run(t *testing.T, open func(t *testing.T, place string) agents.Store) {
	for name, test := range map[string]func(*testing.T, func() agents.Store){
		"RecordsSurviveReopening":   recordsSurvive,
		"OnlyOneOfTwoWins":          onlyOneWins,
		"LosersMergeAndLoseNothing": losersMerge,
		"ListsByCursor":             lists,
		"DeletesWhatNobodyOwns":     deletes,
		"DeletionsSurviveReopening": deletionsStay,
		"TheSecretStays":            secretStays,
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			test(t, func() agents.Store { return open(t, place) })
		})
	}
}

// chain makes a chain of full blocks named by the numbers, and a tail if that is not 0.
func chain(tail byte, keys ...byte) (c kv.Chain) {
	for _, key := range keys {
		c.Keys = append(c.Keys, kv.Key{key})
	}
	c.Tokens = len(keys) * kv.BlockTokens
	if tail != 0 {
		c.Tail = kv.Key{tail}
		c.Tokens += 7
	}
	return c
}

func record(id string, chains ...kv.Chain) agents.Record {
	r := agents.Record{Tenant: "t", ID: id, Created: time.Unix(100, 5).UTC(), Used: time.Unix(200, 0).UTC()}
	for i, c := range chains {
		r.Heads = append(r.Heads, agents.Head{Chain: c, Used: time.Unix(int64(1000-i), 0).UTC()})
	}
	return r
}

func put(t *testing.T, s agents.Store, r agents.Record) agents.Record {
	t.Helper()
	version, err := s.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = version
	return r
}

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
	if _, err := s.Put(t.Context(), record("a")); !errors.Is(err, agents.ErrConflict) {
		t.Errorf("made twice: %v", err)
	}
	put(t, s, first)
	if _, err := s.Put(t.Context(), first); !errors.Is(err, agents.ErrConflict) {
		t.Errorf("an old version was taken: %v", err)
	}
	unborn := record("b")
	unborn.Version = 3
	if _, err := s.Put(t.Context(), unborn); !errors.Is(err, agents.ErrConflict) {
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
					r, err = record("a"), nil
				}
				if err != nil {
					t.Error(err)
					return
				}
				r.Add(agents.Use{Chain: chain(0, 100+i), At: time.Unix(int64(i), 0)})
				if _, err = s.Put(t.Context(), r); err == nil {
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

func lists(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	const many = 500
	for i := range many {
		r := record(fmt.Sprintf("%c%03d%%_", 'a'+i%2, i), chain(1, byte(i)))
		r.Tenant = fmt.Sprint("t", i%3)
		r.Used = time.Unix(int64(i+1), 0).UTC()
		put(t, s, r)
	}
	for what, c := range map[string]struct {
		agents.Filter
		want int
	}{
		"all":         {agents.Filter{}, many},
		"a tenant":    {agents.Filter{Tenant: "t1"}, 167},
		"a prefix":    {agents.Filter{Prefix: "b"}, 250},
		"no pattern":  {agents.Filter{Prefix: "%"}, 0},
		"used before": {agents.Filter{UsedBefore: time.Unix(11, 0)}, 10},
		"used after":  {agents.Filter{UsedAfter: time.Unix(490, 0)}, 10},
	} {
		seen := map[string]bool{}
		for c.Limit = 7; ; {
			page, next, err := s.List(t.Context(), c.Filter)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				if seen[r.Tenant+"/"+r.ID] || len(r.Heads) != 1 {
					t.Fatalf("%s: %s twice or without its head", what, r.ID)
				}
				seen[r.Tenant+"/"+r.ID] = true
			}
			if next == (agents.Cursor{}) {
				break
			}
			c.After = next
		}
		if len(seen) != c.want {
			t.Errorf("%s: %d records, want %d", what, len(seen), c.want)
		}
	}
}

func deletes(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	put(t, s, record("a", chain(3, 1, 2), chain(0, 1, 5)))
	put(t, s, record("b", chain(4, 1)))
	if free, err := s.Unowned(t.Context(), chain(9, 1, 2, 8).Entries()); err != nil || len(free) != 2 || free[0].Key[0] != 8 {
		t.Errorf("unowned %+v, %v", free, err)
	}
	d, err := s.Delete(t.Context(), doomed("op_1", "a"))
	if err != nil || len(d.Chains) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	var entries []kv.Entry
	for _, c := range d.Chains {
		entries = append(entries, c.Entries()...)
	}
	free, err := s.Unowned(t.Context(), entries)
	names := map[byte]bool{}
	for _, e := range free {
		names[e.Key[0]] = true
	}
	if err != nil || !reflect.DeepEqual(names, map[byte]bool{2: true, 3: true, 5: true}) || len(free) != 3 {
		t.Errorf("orphans %v, %v", names, err)
	}
	if _, err := s.Delete(t.Context(), doomed("op_2", "a")); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := s.Deletion(t.Context(), "op_2"); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("a deletion of nothing is known: %v", err)
	}
	put(t, s, record("a"))
}

func doomed(operation, id string) agents.Deletion {
	return agents.Deletion{Operation: operation, Tenant: "t", ID: id, Created: time.Unix(400, 0).UTC()}
}

func deletionsStay(t *testing.T, open func() agents.Store) {
	s := open()
	put(t, s, record("a", chain(3, 1, 2), chain(0, 1, 5)))
	put(t, s, record("b", chain(4, 1)))
	want, err := s.Delete(t.Context(), doomed("op_1", "a"))
	if err != nil {
		t.Fatal(err)
	}
	later := doomed("op_2", "b")
	later.Created = later.Created.Add(time.Second)
	if later, err = s.Delete(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	pending(t, s, want, later)
	want.Removed, want.Error = kv.Moved{Blocks: 1, Bytes: 10}, "the disk is away"
	progress(t, s, want)
	pending(t, s, want, later)
	want.Removed, want.Error, want.Ended = kv.Moved{Blocks: 3, Bytes: 30}, "", time.Unix(500, 0).UTC()
	progress(t, s, want)
	pending(t, s, later)
	want.Chains = nil
	if got, err := s.Deletion(t.Context(), "op_1"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := s.Pending(t.Context(), want.Ended.Add(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deletion(t.Context(), "op_1"); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("one that ended long ago is still known: %v", err)
	}
	pending(t, s, later)
}

func progress(t *testing.T, s agents.Store, d agents.Deletion) {
	t.Helper()
	if err := s.Progress(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// pending compares what has not ended.
func pending(t *testing.T, s agents.Store, want ...agents.Deletion) {
	t.Helper()
	if got, err := s.Pending(t.Context(), time.Unix(1, 0)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("pending %+v, %v, want %+v", got, err, want)
	}
}

func secretStays(t *testing.T, open func() agents.Store) {
	s := open()
	first, err := s.Secret(t.Context(), []byte("first"))
	if err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if again, err := s.Secret(t.Context(), []byte("second")); err != nil || !bytes.Equal(again, first) {
		t.Errorf("%q, %v", again, err)
	}
}
