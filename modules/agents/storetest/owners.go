package storetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

func tellsLastUse(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	one, two := record("one", chain(0, 1, 2)), record("two", chain(9, 1))
	two.Used = one.Used.Add(time.Hour)
	put(t, s, one)
	put(t, s, two)
	entries := append(chain(9, 1).Refs(), append(chain(0, 1, 2).Refs()[1:], chain(0, 3).Refs()...)...)
	uses, err := s.LastUse(t.Context(), entries)
	if want := []time.Time{two.Used, two.Used, one.Used, {}}; err != nil || !reflect.DeepEqual(uses, want) {
		t.Errorf("used at %v, %v, want %v", uses, err, want)
	}
}

// manyBlocks asks about more blocks than a statement may have parameters, each of them twice.
func manyBlocks(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	const many, owners = 35_000, 300
	var c kv.Chain
	for i := range many {
		c.Keys = append(c.Keys, kv.Key{byte(i), byte(i >> 8), byte(i >> 16), 1})
	}
	c.Tokens = many * kv.BlockTokens
	owned := c
	owned.Keys, owned.Tokens = c.Keys[:owners], owners*kv.BlockTokens
	r := put(t, s, record("a", owned))
	twice := append(c.Refs(), c.Refs()...)
	orphans, err := s.Unowned(t.Context(), twice)
	if err != nil || !reflect.DeepEqual(orphans, c.Refs()[owners:]) {
		t.Errorf("%d orphans, %v", len(orphans), err)
	}
	uses, err := s.LastUse(t.Context(), twice)
	if err != nil || len(uses) != 2*many {
		t.Fatalf("%d uses, %v", len(uses), err)
	}
	for i, used := range uses {
		if isOwned := i%many < owners; isOwned != used.Equal(r.Used) || !isOwned && !used.IsZero() {
			t.Fatalf("block %d was used at %v", i, used)
		}
	}
	err = s.DeleteUnowned(t.Context(), "op", twice[:2*owners], func(_ context.Context, orphans []kv.Ref) error {
		if len(orphans) != owners {
			t.Errorf("%d are to be removed", len(orphans))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	noBlocks(t, s)
}

// noBlocks asks about nothing.
func noBlocks(t *testing.T, s agents.Store) {
	t.Helper()
	for name, ask := range map[string]func([]kv.Ref) (int, error){
		"unowned": func(blocks []kv.Ref) (int, error) { free, err := s.Unowned(t.Context(), blocks); return len(free), err },
		"uses":    func(blocks []kv.Ref) (int, error) { uses, err := s.LastUse(t.Context(), blocks); return len(uses), err },
	} {
		if n, err := ask(nil); n != 0 || err != nil {
			t.Errorf("%s of no block: %d, %v", name, n, err)
		}
	}
}

// removalsExclude has a removal stand still. Neither this process nor another comes to own its blocks, and
// both are served in all else.
func removalsExclude(t *testing.T, open func() agents.Store) {
	here, there := open(), open()
	defer here.Close()
	defer there.Close()
	put(t, here, record("a", chain(0, 1)))
	began, goOn := make(chan []byte), make(chan struct{})
	var removing sync.WaitGroup
	removing.Go(func() {
		err := here.DeleteUnowned(t.Context(), "op", chain(9, 1, 2, 3).Refs(), func(_ context.Context, orphans []kv.Ref) error {
			began <- names(orphans)
			<-goOn
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if orphans := <-began; !reflect.DeepEqual(orphans, []byte{2, 3, 9}) {
		t.Errorf("%v are to be removed", orphans)
	}
	for _, s := range []agents.Store{here, there} {
		for _, c := range []kv.Chain{chain(0, 1, 2), chain(9, 1), chain(0, 7, 3)} {
			if _, err := change(t, s, agents.Record{}, record("b", c)); !errors.Is(err, agents.ErrRemoving) {
				t.Errorf("a block is owned that is being removed: %v", err)
			}
		}
		if _, err := s.Get(t.Context(), "t", "b"); !errors.Is(err, agents.ErrNotFound) {
			t.Errorf("half of the change was made: %v", err)
		}
		put(t, s, record("a", chain(0, 1, 4)))
	}
	close(goOn)
	removing.Wait()
	put(t, there, record("b", chain(9, 1, 2)))
	wantUnowned(t, here, chain(9, 1, 2, 3), 3)
}

func failedRemovals(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	broken := errors.New("the disk is away")
	for range 2 {
		err := s.DeleteUnowned(t.Context(), "op", chain(0, 1).Refs(), func(context.Context, []kv.Ref) error { return broken })
		if !errors.Is(err, broken) {
			t.Errorf("a failure is told as %v", err)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	err := s.DeleteUnowned(ctx, "op", chain(0, 1).Refs(), func(ctx context.Context, _ []kv.Ref) error {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("a removal may take for ever")
		}
		leave()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a removal that was given up is told as %v", err)
	}
	put(t, s, record("a", chain(0, 1)))
	err = s.DeleteUnowned(t.Context(), "op", chain(0, 1).Refs(), func(context.Context, []kv.Ref) error {
		t.Error("an owned block is removed")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// operationsPart has one operation meet the blocks of another.
func operationsPart(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	var inner []byte
	note := func(_ context.Context, orphans []kv.Ref) error {
		inner = append(inner, names(orphans)...)
		return nil
	}
	err := s.DeleteUnowned(t.Context(), "one", chain(0, 1, 2).Refs(), func(ctx context.Context, _ []kv.Ref) error {
		if err := s.DeleteUnowned(ctx, "two", chain(0, 2, 3).Refs(), note); !errors.Is(err, agents.ErrRemoving) {
			t.Errorf("another operation is told %v", err)
		}
		return s.DeleteUnowned(ctx, "one", chain(0, 1).Refs(), note)
	})
	if err != nil || !reflect.DeepEqual(inner, []byte{3, 1}) {
		t.Errorf("%v, %v", inner, err)
	}
}

// removalsRace has agents come to own a block and leave it, while it is removed whenever nobody does.
func removalsRace(t *testing.T, open func() agents.Store) {
	s := open()
	defer s.Close()
	shared, done := chain(0, 1), make(chan struct{})
	var writers, remover sync.WaitGroup
	for i := range 3 {
		writers.Go(func() {
			for range 25 {
				ownAndLeave(t, s, string(rune('a'+i)), shared)
			}
		})
	}
	remover.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			err := s.DeleteUnowned(t.Context(), "op", shared.Refs(), func(ctx context.Context, blocks []kv.Ref) error {
				time.Sleep(time.Millisecond)
				if orphans, err := s.Unowned(ctx, blocks); err != nil || len(orphans) != 1 {
					t.Errorf("somebody owns what is removed: %v, %v", orphans, err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	writers.Wait()
	close(done)
	remover.Wait()
}

// ownAndLeave has an agent come to own a chain, as soon as that can be, and give it up.
func ownAndLeave(t *testing.T, s agents.Store, id string, c kv.Chain) {
	t.Helper()
	for _, is := range []agents.Record{record(id, c), record(id)} {
		for {
			was, err := s.Get(t.Context(), "t", id)
			if err != nil && !errors.Is(err, agents.ErrNotFound) {
				t.Error(err)
				return
			}
			is.Version = was.Version
			if _, err = change(t, s, was, is); err == nil {
				break
			}
			if !errors.Is(err, agents.ErrRemoving) {
				t.Error(err)
				return
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
}
