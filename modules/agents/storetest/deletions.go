package storetest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

func deletes(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	put(t, s, record("a", chain(3, 1, 2), chain(0, 1, 5)))
	put(t, s, record("b", chain(4, 1)))
	if free, err := s.Unowned(t.Context(), chain(9, 1, 2, 8).Refs()); err != nil || len(free) != 2 || free[0].Key[0] != 8 {
		t.Errorf("unowned %+v, %v", free, err)
	}
	d, err := s.Delete(t.Context(), newDeletion("op_1", "a"))
	if err != nil || len(d.Chains) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	var entries []kv.Ref
	for _, c := range d.Chains {
		entries = append(entries, c.Refs()...)
	}
	free, err := s.Unowned(t.Context(), entries)
	names := map[byte]bool{}
	for _, e := range free {
		names[e.Key[0]] = true
	}
	if err != nil || !reflect.DeepEqual(names, map[byte]bool{2: true, 3: true, 5: true}) || len(free) != 3 {
		t.Errorf("orphans %v, %v", names, err)
	}
	if _, err := s.Delete(t.Context(), newDeletion("op_2", "a")); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := s.Deletion(t.Context(), "op_2"); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("a deletion of nothing is known: %v", err)
	}
	put(t, s, record("a"))
}

func newDeletion(operation, id string) agents.Deletion {
	return agents.Deletion{Operation: operation, Tenant: "t", ID: id, Created: time.Unix(400, 0).UTC(), Noticed: true}
}

func deletionsStay(t *testing.T, open func() agents.Store) {
	s := open()
	put(t, s, record("a", chain(3, 1, 2), chain(0, 1, 5)))
	put(t, s, record("b", chain(4, 1)))
	want, err := s.Delete(t.Context(), newDeletion("op_1", "a"))
	if err != nil {
		t.Fatal(err)
	}
	later := newDeletion("op_2", "b")
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
	notice(t, s, &want, chain(6, 5))
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

// notice adds a chain to a deletion.
func notice(t *testing.T, s agents.Store, d *agents.Deletion, further kv.Chain) {
	t.Helper()
	if err := s.Notice(t.Context(), d.Operation, []kv.Chain{further}); err != nil {
		t.Fatal(err)
	}
	d.Chains = append(d.Chains, further)
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

// deletesTenant deletes a tenant's agents together, and no other tenant's.
func deletesTenant(t *testing.T, open func() agents.Store) {
	s := open()
	put(t, s, record("a", chain(3, 1, 2)))
	put(t, s, record("b", chain(4, 1)))
	other := record("a", chain(0, 9))
	other.Tenant = "u"
	put(t, s, other)
	if err := s.DeleteTenant(t.Context(), newDeletion("op_1", "")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	page, _, err := s.List(t.Context(), agents.Filter{Limit: 10})
	if err != nil || len(page) != 1 || page[0].Tenant != "u" {
		t.Errorf("%+v, %v", page, err)
	}
	if free, err := s.Unowned(t.Context(), chain(3, 1, 2, 9).Refs()); err != nil || len(free) != 3 {
		t.Errorf("unowned %+v, %v", free, err)
	}
	pending, err := s.Pending(t.Context(), time.Unix(300, 0))
	if err != nil || len(pending) != 1 || pending[0].Tenant != "t" || pending[0].ID != "" || len(pending[0].Chains) != 0 {
		t.Errorf("%+v, %v", pending, err)
	}
	put(t, s, record("a", chain(3, 1, 2)))
}
