package pool_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

type nothing struct{}

func (nothing) Free() {}

// sealedPool is a full pool whose blocks, named 1 to n, are idle and durable.
func sealedPool(t *testing.T, n byte) *pool.Pool { return clockedPool(t, n, time.Now) }

func clockedPool(t *testing.T, n byte, clock func() time.Time) *pool.Pool {
	t.Helper()
	p, err := pool.New(pool.Config{Budget: int64(n), BlockBytes: 1, Clock: clock, Allocate: func() (pool.Memory, error) { return nothing{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		addSealed(t, p, i+1)
	}
	return p
}

func addSealed(t *testing.T, p *pool.Pool, name byte) {
	t.Helper()
	b, err := p.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	e := kv.Entry{Ref: kv.Ref{Key: kv.Key{name}, Tokens: kv.BlockTokens}, Tags: make([]kv.Tag, kv.BlockTokens)}
	p.Release(p.Publish(b, e))
	p.MarkClean(e.Space, e.Key, 0)
}

func TestBlocksAreGivenUpInTheirOrder(t *testing.T) {
	p := sealedPool(t, 5)
	none := kv.Space{}
	p.MarkDirty(none, kv.Key{1}, 0)
	if !p.MarkWriting(none, kv.Key{1}, 0) || p.MarkWriting(none, kv.Key{1}, 0) || p.MarkWriting(none, kv.Key{2}, 0) {
		t.Error("a block is pending twice, or one that is durable")
	}
	p.Pin(none, kv.Key{2}, time.Now().Add(time.Hour))
	p.Pin(none, kv.Key{3}, time.Now().Add(-time.Hour))
	b := p.Acquire(none, kv.Key{5})
	p.MarkFetched(b, pool.TierSet(0))
	p.Release(b)
	if stats := p.Stats(); stats.Busy != 1 || stats.Unsaved != 1 || p.Free() != 4 {
		t.Errorf("%+v, %d free", stats, p.Free())
	}
	var held []*pool.Block
	for _, want := range []byte{5, 3, 4, 2, 1} {
		taken, err := p.Allocate()
		if err != nil || p.Has(none, kv.Key{want}) {
			t.Fatalf("block %d is not the one given up: %v", want, err)
		}
		held = append(held, taken)
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Allocate(); !errors.Is(err, pool.ErrFull) {
		t.Errorf("a full pool gave a block: %v", err)
	}
	for _, b := range held {
		p.Release(b)
	}
}

func TestWhatIsFetchedAheadTakesNothingFromOthers(t *testing.T) {
	p := sealedPool(t, 3)
	none := kv.Space{}
	p.MarkDirty(none, kv.Key{1}, 0)
	p.MarkWriting(none, kv.Key{1}, 0)
	p.Pin(none, kv.Key{2}, time.Now().Add(time.Hour))
	b := p.Acquire(none, kv.Key{3})
	p.MarkFetched(b, pool.TierSet(0))
	p.Release(b)
	if _, err := p.AllocateSpare(); !errors.Is(err, pool.ErrFull) {
		t.Errorf("pending, retained and fetched blocks gave way: %v", err)
	}
	for range 2 {
		if _, err := p.AllocateSafe(); err != nil {
			t.Errorf("somebody waits, and neither of the fetched and the retained gave way: %v", err)
		}
	}
	if _, err := p.AllocateSafe(); !errors.Is(err, pool.ErrFull) {
		t.Errorf("a pending block gave way: %v", err)
	}
}

func TestAForgottenBlockIsFreedWithItsLastReference(t *testing.T) {
	p := sealedPool(t, 2)
	none := kv.Space{}
	b := p.Acquire(none, kv.Key{1})
	if !p.Remove(none, kv.Key{1}) || p.Remove(none, kv.Key{1}) || p.Acquire(none, kv.Key{1}) != nil {
		t.Error("it can still be found")
	}
	if p.Stats().Resident != 2 {
		t.Error("it was freed under its user")
	}
	if _, known := p.Entry(b); known {
		t.Error("it still has a name")
	}
	p.Release(b)
	if !p.Remove(none, kv.Key{2}) || p.Stats().Resident != 0 || p.Check() != nil {
		t.Errorf("%+v, %v", p.Stats(), p.Check())
	}
}

func TestALeafIsDroppedAndItsParentIsNot(t *testing.T) {
	p := sealedPool(t, 2)
	none := kv.Space{}
	b, err := p.Allocate() // in place of block 1
	if err != nil {
		t.Fatal(err)
	}
	child := kv.Entry{Ref: kv.Ref{Key: kv.Key{9}, Parent: kv.Key{2}, Tokens: 7}, Tags: make([]kv.Tag, 7)}
	b = p.Publish(b, child)
	if p.EvictLeaf(none, kv.Key{2}) || p.EvictLeaf(none, kv.Key{9}) {
		t.Error("a parent or a block in use was dropped")
	}
	p.Release(b)
	if !p.EvictLeaf(none, kv.Key{9}) || !p.EvictLeaf(none, kv.Key{2}) || p.Stats().Resident != 0 {
		t.Error("a leaf stays")
	}
}

func TestARetentionEndsWithItsTime(t *testing.T) {
	now := time.Unix(1000, 0)
	p := clockedPool(t, 3, func() time.Time { return now })
	none := kv.Space{}
	for name, hours := range map[byte]time.Duration{1: 3, 2: 1, 3: 2} {
		p.Pin(none, kv.Key{name}, now.Add(hours*time.Hour))
	}
	if _, err := p.AllocateSpare(); !errors.Is(err, pool.ErrFull) {
		t.Errorf("a retained block gave way: %v", err)
	}
	if _, err := p.Allocate(); err != nil || p.Has(none, kv.Key{2}) {
		t.Errorf("not the one whose retention ends first gave way: %v", err)
	}
	now = now.Add(150 * time.Minute)
	if _, err := p.AllocateSpare(); err != nil || p.Has(none, kv.Key{3}) {
		t.Errorf("the one whose retention is over did not give way: %v", err)
	}
	if _, err := p.AllocateSpare(); !errors.Is(err, pool.ErrFull) || p.Check() != nil {
		t.Errorf("the last one, which is retained still, gave way: %v, %v", err, p.Check())
	}
}
