package pool_test

import (
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// tenanted are the blocks of a tenant in a pool.
type tenanted struct {
	*pool.Pool
	space kv.Space
}

// add publishes a block that a tier has.
func (p tenanted) add(t *testing.T, name byte) {
	t.Helper()
	b, err := p.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	e := kv.Entry{Ref: kv.Ref{Space: p.space, Key: kv.Key{name}, Tokens: kv.BlockTokens}, Tags: make([]kv.Tag, kv.BlockTokens)}
	p.Release(p.Publish(b, e))
	p.MarkClean(e.Space, e.Key, 0)
}

// left are the names of the blocks that are there, up to the given one.
func (p tenanted) left(last byte) (names string) {
	for name := byte(1); name <= last; name++ {
		if p.Has(p.space, kv.Key{name}) {
			names += string('0' + rune(name))
		}
	}
	return names
}

// sharedPool is a full pool of ten blocks, of which the one tenant has three, used longest ago, and the other
// seven.
func sharedPool(t *testing.T, share float64) (small, large tenanted) {
	t.Helper()
	p, err := pool.New(pool.Config{Budget: 10, BlockBytes: 1, Share: share, Allocate: func() (pool.Memory, error) { return nothing{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	small, large = tenanted{p, kv.Space{Salt: kv.SaltID{1}}}, tenanted{p, kv.Space{Salt: kv.SaltID{2}}}
	for name := range byte(3) {
		small.add(t, name+1)
	}
	for name := range byte(7) {
		large.add(t, name+1)
	}
	return small, large
}

// take allocates n blocks, which evicts as many.
func (p tenanted) take(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := p.Allocate(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}

func TestATenantBeyondItsShareLosesItsOwnBlocksFirst(t *testing.T) {
	small, large := sharedPool(t, 0.5)
	large.Pin(large.space, kv.Key{1}, time.Now().Add(time.Hour))
	large.take(t, 1)
	if s, l := small.left(3), large.left(7); s != "123" || l != "134567" {
		t.Errorf("%s and %s are left: it should be the one used longest ago of its own that is not pinned", s, l)
	}
	large.take(t, 1)
	if s, l := small.left(3), large.left(7); s != "123" || l != "14567" {
		t.Errorf("%s and %s are left", s, l)
	}
	large.take(t, 2) // at its share it is like everybody else
	if s, l := small.left(3), large.left(7); s != "3" || l != "14567" {
		t.Errorf("%s and %s are left: they should go by last use", s, l)
	}
}

// What a tenant has pinned, or fetched ahead, does not make its share larger; what would be lost waits for
// the tier.
func TestPinsDoNotMakeAShareLarger(t *testing.T) {
	small, large := sharedPool(t, 0.5)
	for name := range byte(7) {
		large.Pin(large.space, kv.Key{name + 1}, time.Now().Add(time.Hour))
	}
	large.MarkDirty(large.space, kv.Key{1}, 0)
	large.MarkWriting(large.space, kv.Key{1}, 0)
	large.take(t, 2)
	if s, l := small.left(3), large.left(7); s != "123" || l != "14567" {
		t.Errorf("%s and %s are left", s, l)
	}
}

func TestWithoutSharesBlocksGoByLastUse(t *testing.T) {
	for _, share := range []float64{0, 1, 0.7} {
		small, large := sharedPool(t, share)
		large.take(t, 2)
		if s, l := small.left(3), large.left(7); s != "3" || l != "1234567" {
			t.Errorf("share %g: %s and %s are left", share, s, l)
		}
	}
}

// Blocks that are removed count for nobody any more.
func TestRemovedBlocksCountForNoShare(t *testing.T) {
	small, large := sharedPool(t, 0.5)
	held := large.Acquire(large.space, kv.Key{7})
	large.Remove(large.space, kv.Key{7})
	large.Remove(large.space, kv.Key{6})
	large.take(t, 2) // the removed one's place, and one more
	if s, l := small.left(3), large.left(7); s != "23" || l != "12345" {
		t.Errorf("%s and %s are left", s, l)
	}
	large.Release(held)
	large.take(t, 1)
	if s := small.left(3); s != "23" {
		t.Errorf("%s is left of the small tenant: there was room", s)
	}
}

// Blocks that no tier has yet would be lost, so others that would not be go before them, whose they may be.
func TestAShareSparesWhatWouldBeLost(t *testing.T) {
	small, large := sharedPool(t, 0.5)
	for name := range byte(7) {
		large.MarkDirty(large.space, kv.Key{name + 1}, 0)
		large.MarkWriting(large.space, kv.Key{name + 1}, 0)
	}
	large.take(t, 3)
	if s, l := small.left(3), large.left(7); s != "" || l != "1234567" {
		t.Errorf("%s and %s are left", s, l)
	}
}
