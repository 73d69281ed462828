package kv_test

import (
	"errors"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

type nothing struct{}

func (nothing) Free() {}

// sealedPool is a full pool whose blocks, named 1 to n, are idle and durable.
func sealedPool(t *testing.T, n byte) *kv.Pool { return clockedPool(t, n, time.Now) }

func clockedPool(t *testing.T, n byte, clock func() time.Time) *kv.Pool {
	t.Helper()
	p, err := kv.NewPool(kv.Config{Budget: int64(n), BlockBytes: 1, Clock: clock, Allocate: func() (kv.Memory, error) { return nothing{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		addSealed(t, p, i+1)
	}
	return p
}

func addSealed(t *testing.T, p *kv.Pool, name byte) {
	t.Helper()
	b, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	e := kv.Entry{Key: kv.Key{name}, Tags: make([]kv.Tag, kv.BlockTokens)}
	p.Give(p.Seal(b, e))
	p.Settle(e.Space, e.Key, true)
}

func TestBlocksAreGivenUpInTheirOrder(t *testing.T) {
	p := sealedPool(t, 5)
	none := kv.Space{}
	p.Settle(none, kv.Key{1}, false)
	if !p.Pend(none, kv.Key{1}) || p.Pend(none, kv.Key{1}) || p.Pend(none, kv.Key{2}) {
		t.Error("a block is pending twice, or one that is durable")
	}
	p.Retain(none, kv.Key{2}, time.Now().Add(time.Hour))
	p.Retain(none, kv.Key{3}, time.Now().Add(-time.Hour))
	b := p.Find(none, kv.Key{5})
	p.Arrived(b)
	p.Give(b)
	if stats := p.Stats(); stats.Busy != 1 || stats.Pending != 1 || p.Free() != 4 {
		t.Errorf("%+v, %d free", stats, p.Free())
	}
	var held []*kv.Block
	for _, want := range []byte{5, 3, 4, 2, 1} {
		taken, err := p.Take()
		if err != nil || p.Has(none, kv.Key{want}) {
			t.Fatalf("block %d is not the one given up: %v", want, err)
		}
		held = append(held, taken)
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Take(); !errors.Is(err, kv.ErrFull) {
		t.Errorf("a full pool gave a block: %v", err)
	}
	for _, b := range held {
		p.Give(b)
	}
}

func TestWhatIsFetchedAheadTakesNothingFromOthers(t *testing.T) {
	p := sealedPool(t, 3)
	none := kv.Space{}
	p.Settle(none, kv.Key{1}, false)
	p.Pend(none, kv.Key{1})
	p.Retain(none, kv.Key{2}, time.Now().Add(time.Hour))
	b := p.Find(none, kv.Key{3})
	p.Arrived(b)
	p.Give(b)
	if _, err := p.TakeSpare(); !errors.Is(err, kv.ErrFull) {
		t.Errorf("pending, retained and fetched blocks gave way: %v", err)
	}
	for range 2 {
		if _, err := p.TakeSafe(); err != nil {
			t.Errorf("somebody waits, and neither of the fetched and the retained gave way: %v", err)
		}
	}
	if _, err := p.TakeSafe(); !errors.Is(err, kv.ErrFull) {
		t.Errorf("a pending block gave way: %v", err)
	}
}

func TestAForgottenBlockIsFreedWithItsLastReference(t *testing.T) {
	p := sealedPool(t, 2)
	none := kv.Space{}
	b := p.Find(none, kv.Key{1})
	if !p.Forget(none, kv.Key{1}) || p.Forget(none, kv.Key{1}) || p.Find(none, kv.Key{1}) != nil {
		t.Error("it can still be found")
	}
	if p.Stats().Resident != 2 {
		t.Error("it was freed under its user")
	}
	if _, known := p.Entry(b); known {
		t.Error("it still has a name")
	}
	p.Give(b)
	if !p.Forget(none, kv.Key{2}) || p.Stats().Resident != 0 || p.Check() != nil {
		t.Errorf("%+v, %v", p.Stats(), p.Check())
	}
}

func TestALeafIsDroppedAndItsParentIsNot(t *testing.T) {
	p := sealedPool(t, 2)
	none := kv.Space{}
	b, err := p.Take() // in place of block 1
	if err != nil {
		t.Fatal(err)
	}
	child := kv.Entry{Key: kv.Key{9}, Parent: kv.Key{2}, Tags: make([]kv.Tag, 7)}
	b = p.Seal(b, child)
	if p.DropLeaf(none, kv.Key{2}) || p.DropLeaf(none, kv.Key{9}) {
		t.Error("a parent or a block in use was dropped")
	}
	p.Give(b)
	if !p.DropLeaf(none, kv.Key{9}) || !p.DropLeaf(none, kv.Key{2}) || p.Stats().Resident != 0 {
		t.Error("a leaf stays")
	}
}

func TestARetentionEndsWithItsTime(t *testing.T) {
	now := time.Unix(1000, 0)
	p := clockedPool(t, 3, func() time.Time { return now })
	none := kv.Space{}
	for name, hours := range map[byte]time.Duration{1: 3, 2: 1, 3: 2} {
		p.Retain(none, kv.Key{name}, now.Add(hours*time.Hour))
	}
	if _, err := p.TakeSpare(); !errors.Is(err, kv.ErrFull) {
		t.Errorf("a retained block gave way: %v", err)
	}
	if _, err := p.Take(); err != nil || p.Has(none, kv.Key{2}) {
		t.Errorf("not the one whose retention ends first gave way: %v", err)
	}
	now = now.Add(150 * time.Minute)
	if _, err := p.TakeSpare(); err != nil || p.Has(none, kv.Key{3}) {
		t.Errorf("the one whose retention is over did not give way: %v", err)
	}
	if _, err := p.TakeSpare(); !errors.Is(err, kv.ErrFull) || p.Check() != nil {
		t.Errorf("the last one, which is retained still, gave way: %v, %v", err, p.Check())
	}
}
