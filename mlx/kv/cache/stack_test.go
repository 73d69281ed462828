package cache_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
)

const soon = 30 * time.Second

// A tier that failed is tried again until it has the block, though another tier has it.
func TestABlockReachesEveryTierThoughOneHasItAlready(t *testing.T) {
	bucket := tiertest.NewShelf("bucket")
	s := newStack(t, 4, bucket)
	bucket.Fail(errors.New("the network is away"))
	e := s.add(t, kv.Root, 1, true)
	if s.below.Data(e.Key) == nil || bucket.Data(e.Key) != nil {
		t.Fatal("not as the test wants it")
	}
	for _, h := range s.Holdings(t.Context(), []kv.Chain{{Space: e.Space, Keys: []kv.Key{e.Key}, Tokens: kv.BlockTokens}}) {
		if want := h.Tier != "bucket"; (h.Blocks == 1) != want {
			t.Errorf("%s has %d blocks", h.Tier, h.Blocks)
		}
	}
	bucket.Fail(nil)
	if !tiertest.Within(soon, func() bool { return bucket.Data(e.Key) != nil }) {
		t.Fatal("the bucket that failed once is never tried again")
	}
}

// What one tier has is durable there at once, however slow another is; and it takes no memory from anybody.
func TestSettlingWaitsForTheFirstTierOnly(t *testing.T) {
	bucket := tiertest.NewShelf("bucket")
	s := newStack(t, 4, bucket)
	release := bucket.Hang()
	defer release()
	for seed := range int32(8) { // twice the pool, all of it waiting for the bucket
		e := s.add(t, kv.Root, seed, false)
		s.Store(s.tenant, e, true)
		if !tiertest.Within(soon, func() bool {
			clean, _ := s.pool.Clean(e.Space, e.Key)
			return clean.Has(0) && s.pool.Stats().Busy == 0
		}) {
			t.Fatalf("block %d: %+v while the bucket hangs", seed, s.pool.Stats())
		}
	}
	release()
	if !tiertest.Within(soon, func() bool { return len(bucket.Keys()) == 8 }) {
		t.Errorf("the bucket has %d of 8 blocks: those that left the pool meanwhile are to come from the disk", len(bucket.Keys()))
	}
}

// A block that comes from the lower tier is written to the one above, byte for byte.
func TestWhatComesFromBelowReachesTheTierBetween(t *testing.T) {
	bucket := tiertest.NewShelf("bucket")
	s := newStack(t, 4, bucket)
	e := s.add(t, kv.Root, 1, true)
	s.Trim(t.Context())
	s.below.Lose(e.Key)
	found := s.Lookup(t.Context(), []kv.Ref{e.Ref})
	if err := s.Fetch(s.tenant, nil, found[0], nil).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !tiertest.Within(soon, func() bool { return bytes.Equal(s.below.Data(e.Key), bucket.Data(e.Key)) }) {
		t.Error("it is never written to the disk again")
	}
}

// It is read once for that.
func TestWhatIsFetchedIsReadOnceThoughAnotherTierGetsItToo(t *testing.T) {
	bucket := tiertest.NewShelf("bucket")
	s := newStack(t, 4, bucket)
	e := s.add(t, kv.Root, 1, true)
	s.Trim(t.Context())
	s.below.Lose(e.Key)
	found := s.Lookup(t.Context(), []kv.Ref{e.Ref})
	before := bucket.Gets()
	if err := s.Fetch(s.tenant, nil, found[0], nil).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !tiertest.Within(soon, func() bool { return s.below.Data(e.Key) != nil }) || bucket.Gets() != before+1 {
		t.Errorf("the bucket was read %d times", bucket.Gets()-before)
	}
}

// A tier that hands out other bytes is passed over, and neither the pool nor another tier gets them.
func TestALyingTierReachesNobody(t *testing.T) {
	bucket := tiertest.NewShelf("bucket")
	s := newStack(t, 4, bucket)
	e, other := s.add(t, kv.Root, 1, true), s.add(t, kv.Root, 2, true)
	s.Trim(t.Context())
	whole := s.below.Data(e.Key)
	s.below.Change(e.Key, s.below.Data(other.Key))
	found := cache.Found{Ref: e.Ref, Tiers: []int{0, 1}}
	if err := s.Fetch(s.tenant, nil, found, nil).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.below.Damaged() != 1 {
		t.Errorf("%d damaged blocks were put aside", s.below.Damaged())
	}
	if !tiertest.Within(soon, func() bool { return bytes.Equal(s.below.Data(e.Key), whole) }) {
		t.Error("the disk does not have the block anew")
	}
}

// A deletion reaches every tier, and what is on its way to one of them does not arrive.
func TestADeletionReachesATierThatIsBeingWritten(t *testing.T) {
	bucket, third := tiertest.NewShelf("bucket"), tiertest.NewShelf("archive")
	s := newStack(t, 4, bucket, third)
	release := bucket.Hang()
	e := s.add(t, kv.Root, 1, false)
	s.Store(s.tenant, e, true)
	if !tiertest.Within(soon, func() bool {
		return s.below.Data(e.Key) != nil && third.Data(e.Key) != nil && bucket.Puts() > 0
	}) {
		t.Fatal("not as the test wants it")
	}
	if _, err := s.Delete(t.Context(), []kv.Ref{e.Ref}); err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := s.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	for _, tier := range []*tiertest.Shelf{s.below, bucket, third} {
		if tier.Data(e.Key) != nil {
			t.Errorf("%s still has it", tier.Title)
		}
	}
}

// An unhealthy tier is not asked to store anything; once it is well again it gets what it missed.
func TestATierThatWasUnwellGetsWhatItMissed(t *testing.T) {
	bucket := tiertest.NewShelf("bucket")
	s := newStack(t, 4, bucket)
	bucket.Sicken("no credentials")
	e := s.add(t, kv.Root, 1, false)
	s.Store(s.tenant, e, true)
	if !tiertest.Within(soon, func() bool { return s.below.Data(e.Key) != nil }) || bucket.Puts() != 0 {
		t.Errorf("%d stores went to the unhealthy tier", bucket.Puts())
	}
	bucket.Sicken("")
	if !tiertest.Within(soon, func() bool { return bucket.Data(e.Key) != nil }) {
		t.Error("it never gets the block")
	}
}
