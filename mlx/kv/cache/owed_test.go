package cache_test

import (
	"context"
	"errors"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
)

// What left the pool while a tier was away is written to it from another tier when it is back; what was deleted
// meanwhile is not.
func TestWhatLeftThePoolIsOwedToATierThatWasAway(t *testing.T) {
	for name, away := range map[string]func(*tiertest.Shelf) (back func()){
		"unhealthy": func(b *tiertest.Shelf) func() { b.Sicken("no network"); return func() { b.Sicken("") } },
		"failing":   func(b *tiertest.Shelf) func() { b.Fail(errors.New("reset")); return func() { b.Fail(nil) } },
		"hanging":   func(b *tiertest.Shelf) func() { return b.Hang() },
	} {
		t.Run(name, func(t *testing.T) {
			bucket := tiertest.NewShelf("bucket")
			s := newStack(t, 2, bucket)
			back := away(bucket)
			var blocks []kv.Entry
			for seed := range int32(6) { // three times the pool
				e := s.add(t, kv.Root, seed, false)
				s.Store(s.tenant, e, true)
				if !tiertest.Within(soon, func() bool { return s.below.Data(e.Key) != nil }) {
					t.Fatal("not as the test wants it")
				}
				blocks = append(blocks, e)
			}
			s.Trim(t.Context())
			if _, err := s.Delete(t.Context(), []kv.Ref{blocks[0].Ref}); err != nil {
				t.Fatal(err)
			}
			back()
			if !tiertest.Within(soon, func() bool { return len(bucket.Keys()) == 5 && s.Owed("bucket") == 0 }) {
				t.Errorf("the bucket has %d of 5 blocks, %d are owed", len(bucket.Keys()), s.Owed("bucket"))
			}
			if bucket.Data(blocks[0].Key) != nil {
				t.Error("it got a block that was deleted")
			}
		})
	}
}

// A tier that only wants what is likely to be used again gets an agent's blocks at once, and others when they
// are used a second time.
func TestATierForWhatIsUsedAgainGetsNoOneShots(t *testing.T) {
	bucket := tiertest.NewShelf("bucket")
	s := newStackWith(t, 8, map[string]cache.Policy{"bucket": {OnlyWanted: true}}, bucket)
	once, twice, owned := s.add(t, kv.Root, 1, false), s.add(t, kv.Root, 2, false), s.add(t, kv.Root, 3, false)
	for _, e := range []kv.Entry{once, twice} {
		s.Store(s.tenant, e, false)
	}
	s.Store(s.tenant, owned, true)
	s.pool.Release(s.pool.Acquire(twice.Space, twice.Key))
	if !tiertest.Within(soon, func() bool { return bucket.Data(owned.Key) != nil && bucket.Data(twice.Key) != nil }) {
		t.Fatalf("the bucket has %d blocks", len(bucket.Keys()))
	}
	s.Trim(t.Context())
	if _, err := s.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if bucket.Data(once.Key) != nil || s.Owed("bucket") != 0 {
		t.Errorf("a one-shot went to the bucket, or is owed to it: %d", s.Owed("bucket"))
	}
	if s.below.Data(once.Key) == nil {
		t.Error("the disk does not have it")
	}
}

// comparing is a bucket that tells which blocks it lacks, unless it fails.
type comparing struct {
	*tiertest.Shelf
	failure error
}

// Missing implements kv.Comparer.
func (c *comparing) Missing(ctx context.Context, refs []kv.Ref) (missing []kv.Ref, err error) {
	if c.failure != nil {
		return nil, c.failure
	}
	copies, err := c.Lookup(ctx, refs)
	for i := range copies {
		if !copies[i].Exists() {
			missing = append(missing, refs[i])
		}
	}
	return missing, err
}

// What a bucket lacks after a restart comes from the disk; what neither has is nobody's concern.
func TestAfterARestartATierGetsWhatItWasOwed(t *testing.T) {
	bucket := &comparing{Shelf: tiertest.NewShelf("bucket")}
	s := newStack(t, 4, bucket)
	kept, lacking, gone := s.add(t, kv.Root, 1, true), s.add(t, kv.Root, 2, true), s.add(t, kv.Root, 3, true)
	s.Trim(t.Context())
	bucket.Lose(lacking.Key)
	for _, shelf := range []*tiertest.Shelf{bucket.Shelf, s.below} {
		shelf.Lose(gone.Key)
	}
	bucket.failure = errors.New("reset")
	refs := []kv.Ref{kept.Ref, lacking.Ref, gone.Ref}
	if err := s.Resume(t.Context(), s.tenant, refs); err == nil {
		t.Error("a bucket that can't be asked is taken for one that has all")
	}
	bucket.failure = nil
	puts := bucket.Puts()
	if err := s.Resume(t.Context(), s.tenant, refs); err != nil {
		t.Fatal(err)
	}
	if !tiertest.Within(soon, func() bool { return bucket.Data(lacking.Key) != nil && s.Owed("bucket") == 0 }) {
		t.Error("the bucket does not get what it lacks")
	}
	if bucket.Data(gone.Key) != nil || bucket.Puts() != puts+1 {
		t.Errorf("%d blocks were stored", bucket.Puts()-puts)
	}
}

// silent is a distant tier that remembers nothing until it is asked to learn.
type silent struct {
	*tiertest.Shelf
	told bool
}

// Known implements kv.Distant.
func (s *silent) Known(refs []kv.Ref) []kv.Copy {
	copies, _ := s.Lookup(context.Background(), refs)
	for i := range copies {
		copies[i].IsUnknown = !s.told
		if !s.told {
			copies[i].Bytes = 0
		}
	}
	return copies
}

// Learn implements kv.Distant.
func (s *silent) Learn(context.Context, []kv.Ref) error { s.told = true; return nil }

// LearnBehind implements kv.Distant.
func (s *silent) LearnBehind(context.Context, kv.Space, kv.Key) (bool, error) { return false, nil }

// What a distant tier did not say is not taken for a loss, and costs no store.
func TestWhatATierDidNotSayIsNoLoss(t *testing.T) {
	bucket := &silent{Shelf: tiertest.NewShelf("bucket")}
	s := newStack(t, 4, bucket)
	e := s.add(t, kv.Root, 1, true)
	found := s.Lookup(t.Context(), []kv.Ref{e.Ref})
	if len(found[0].Tiers) != 1 || !found[0].Unknown.Has(1) {
		t.Errorf("%+v", found[0])
	}
	s.Missing(found)
	if clean, _ := s.pool.Clean(e.Space, e.Key); !clean.Has(1) {
		t.Error("the tier is believed to have lost the block")
	}
	s.Trim(t.Context())
	s.below.Lose(e.Key)
	if !s.Learn(t.Context(), []kv.Ref{e.Ref}) {
		t.Error("nothing was found by asking")
	}
	if found := s.Lookup(t.Context(), []kv.Ref{e.Ref}); !found[0].Exists() {
		t.Error("what was learned is not found")
	}
}
