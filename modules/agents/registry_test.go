package agents_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// watched is a store of which a test sees who is written, and which it can keep from writing.
type watched struct {
	agents.Store
	mu      sync.Mutex
	written []string
	failure error
}

func (s *watched) Put(ctx context.Context, c agents.Change) (int64, error) {
	s.mu.Lock()
	s.written = append(s.written, c.Record.ID)
	failure := s.failure
	s.mu.Unlock()
	if failure != nil {
		return 0, failure
	}
	return s.Store.Put(ctx, c)
}

// wantWritten compares whose records were written since the last time.
func (s *watched) wantWritten(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.written, want) {
		t.Errorf("%v were written, want %v", s.written, want)
	}
	s.written = nil
}

func (s *watched) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// standing is a registry that nobody runs: it writes only what it is asked for.
func standing(t *testing.T, change func(*agents.Settings)) (*agents.Registry, *watched) {
	t.Helper()
	store := &watched{}
	open := opener(t, filepath.Join(t.TempDir(), "records.db"))
	cfg := agents.Settings{
		Open: func(ctx context.Context) (agents.Store, error) {
			opened, err := open(ctx)
			store.Store = opened
			return store, err
		},
		Memory: &tiers{removed: map[kv.Key]bool{}}, Secret: []byte("secret"), Retry: time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	r := agents.NewRegistry(t.Context(), cfg)
	t.Cleanup(func() { _ = store.Close() })
	return r, store
}

func ids(records []agents.Record) (all []string) {
	for _, r := range records {
		all = append(all, fmt.Sprint(r.Tenant, "/", r.ID, ":", len(r.Heads)))
	}
	return all
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

// Who reads one agent has that one's record written and no other; who lists has none written, and sees all
// uses.
func TestReadsWriteNoMoreThanTheyTell(t *testing.T) {
	r, store := standing(t, nil)
	for _, id := range []string{"a", "b", "c"} {
		r.Note("t", id, agents.Use{Chain: chain(1), At: at(10)})
	}
	if record, err := r.Written(t.Context(), "t", "b"); err != nil || len(record.Heads) != 1 {
		t.Errorf("%+v, %v", record, err)
	}
	store.wantWritten(t, "b")
	r.Note("t", "b", agents.Use{Chain: chain(2), At: at(20)})
	r.Note("u", "a", agents.Use{Chain: chain(3), At: at(20)})
	for _, c := range []struct {
		agents.Filter
		want []string
	}{
		{agents.Filter{Limit: 10}, []string{"t/a:1", "t/b:2", "t/c:1", "u/a:1"}},
		{agents.Filter{Limit: 10, Tenant: "t", Prefix: "b"}, []string{"t/b:2"}},
		{agents.Filter{Limit: 2}, []string{"t/a:1", "t/b:2"}},
		{agents.Filter{Limit: 2, After: agents.Cursor{Tenant: "t", ID: "b"}}, []string{"t/c:1", "u/a:1"}},
		{agents.Filter{Limit: 1, After: agents.Cursor{Tenant: "t", ID: "c"}}, []string{"u/a:1"}},
		{agents.Filter{Limit: 10, UsedAfter: at(15)}, []string{"t/b:2", "u/a:1"}},
		{agents.Filter{Limit: 10, UsedBefore: at(15)}, []string{"t/a:1", "t/c:1"}},
		{agents.Filter{Limit: 10, Tenant: "v"}, nil},
	} {
		page, _, err := r.List(t.Context(), c.Filter)
		if err != nil || !slices.Equal(ids(page), c.want) {
			t.Errorf("%+v: %v, %v, want %v", c.Filter, ids(page), err, c.want)
		}
	}
	store.wantWritten(t)
}

// Page by page everybody is listed once, wherever the records are: written, noted or both.
func TestPagesHoldEverybodyOnce(t *testing.T) {
	r, _ := standing(t, nil)
	var want []string
	for i := range 30 {
		id := fmt.Sprintf("%02d", i)
		r.Note("t", id, agents.Use{Chain: chain(1), At: at(10)})
		if i%3 > 0 {
			if _, err := r.Written(t.Context(), "t", id); err != nil {
				t.Fatal(err)
			}
		}
		if i%3 > 1 {
			r.Note("t", id, agents.Use{Chain: chain(1, 2), At: at(11)})
		}
		want = append(want, "t/"+id+":1")
	}
	for limit := 1; limit < 32; limit += 3 {
		var got []string
		for f := (agents.Filter{Limit: limit}); ; {
			page, next, err := r.List(t.Context(), f)
			if err != nil || len(page) > limit {
				t.Fatal(len(page), err)
			}
			got = append(got, ids(page)...)
			if next == (agents.Cursor{}) {
				break
			}
			f.After = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d hold %v", limit, got)
		}
	}
}

// A store that answers every change with a conflict is asked a bounded number of times.
func TestAConflictIsNotTriedForEver(t *testing.T) {
	for _, failure := range []error{agents.ErrConflict, agents.ErrRemoving} {
		r, store := standing(t, nil)
		store.fail(failure)
		if _, _, err := r.Create(t.Context(), "t", "a", "", time.Hour); !errors.Is(err, failure) {
			t.Errorf("%v is told as %v", failure, err)
		}
		if n := len(store.written); n < 2 || n > 20 {
			t.Errorf("after %v it was tried %d times", failure, n)
		}
	}
}

// Blocks that a use needs which is not written yet outlive the deletion of the agent that owned them.
func TestADeletionLeavesWhatIsNoted(t *testing.T) {
	memory := &tiers{removed: map[kv.Key]bool{}}
	r, store := standing(t, func(cfg *agents.Settings) { cfg.Memory = memory })
	r.Note("t", "doomed", agents.Use{Chain: chain(1, 2), At: at(10)})
	d, err := r.Delete(t.Context(), "t", "doomed")
	if err != nil {
		t.Fatal(err)
	}
	store.fail(errors.New("the record can't be written"))
	r.Note("t", "heir", agents.Use{Chain: chain(1), At: at(11)})
	ctx, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	await(t, r, d.Operation, func(d agents.Deletion) bool { return !d.Ended.IsZero() })
	end()
	running.Wait()
	if memory.removed[kv.Key{1}] || !memory.removed[kv.Key{2}] {
		t.Errorf("removed %v", memory.removed)
	}
}

// shelf holds the first blocks of every chain only.
type shelf struct {
	tiers
	tokens int
}

func (s *shelf) Holdings(chains []kv.Chain) []kv.Holding {
	return []kv.Holding{{Tier: "pool"}, {Tier: "disk", Tokens: s.tokens}}
}

// An agent whose blocks were being removed when its record was to be written owns what of them is left.
func TestARecordDoesNotOwnWhatWasRemovedMeanwhile(t *testing.T) {
	r, store := standing(t, func(cfg *agents.Settings) { cfg.Memory = &shelf{tokens: 2*kv.BlockTokens + 9} })
	long := chain(1, 2, 3, 4)
	r.Note("t", "a", agents.Use{Chain: long, At: at(10)})
	store.fail(agents.ErrRemoving)
	if record, err := r.Written(t.Context(), "t", "a"); err != nil || record.Tokens() != long.Tokens {
		t.Errorf("while it can't be written: %+v, %v", record, err)
	}
	store.fail(nil)
	record, err := r.Written(t.Context(), "t", "a")
	if err != nil || record.Tokens() != 2*kv.BlockTokens || !slices.Equal(record.Heads[0].Chain.Keys, long.Keys[:2]) {
		t.Errorf("%+v, %v", record, err)
	}
	r.Note("t", "a", agents.Use{Chain: long, At: at(11)})
	if record, err = r.Written(t.Context(), "t", "a"); err != nil || record.Tokens() != long.Tokens {
		t.Errorf("the next use is cut too: %+v, %v", record, err)
	}
}

// Many read an agent at once while it is used on: no use is lost.
func TestNoUseIsLostBetweenManyReaders(t *testing.T) {
	r, _ := standing(t, nil)
	for round := range 20 {
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for range 6 {
					if _, err := r.Written(t.Context(), "t", "a"); err != nil && !errors.Is(err, agents.ErrNotFound) {
						t.Error(err)
					}
				}
			})
		}
		for i := range byte(8) { // as many conversations as an agent has
			r.Note("t", "a", agents.Use{Chain: chain(byte(8*round) + i), At: at(int64(round))})
			if _, err := r.Get(t.Context(), "t", "a"); err != nil {
				t.Error(err)
			}
		}
		readers.Wait()
		record, err := r.Written(t.Context(), "t", "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, head := range record.Heads {
			if int(head.Chain.Keys[0][0])/8 != round {
				t.Fatalf("a use of round %d was lost: %v", round, head.Chain.Keys)
			}
		}
	}
}
