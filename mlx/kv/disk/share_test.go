package disk

import (
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
)

// toyOf is a block of a tenant.
func toyOf(tenant byte, seed uint64) stored {
	e, data := tiertest.SizedToy(testSpace(tenant), kv.Root, kv.BlockTokens, seed, unit+100)
	return stored{e, data}
}

// shared opens a folder with a budget and shares, in which the first tenant has three blocks, used longest
// ago, and the second fills the rest until something is evicted.
func shared(t *testing.T, share float64) (b *bench, small, large []stored) {
	t.Helper()
	b = newBench(t, 100)
	b.must(b.Close())
	b.open(b.cfg.Budget, func(c *Config) { c.Share = share })
	for seed := range uint64(3) {
		small = append(small, toyOf(1, seed))
		b.put(small[seed])
	}
	for seed := uint64(0); len(b.evicted) == 0; seed++ {
		large = append(large, toyOf(2, seed))
		b.put(large[seed])
		if len(large) > 500 {
			t.Fatal("nothing is ever evicted")
		}
	}
	return b, small, large
}

func TestATenantBeyondItsShareLosesItsOwnBlocksFirst(t *testing.T) {
	b, small, large := shared(t, 0.25)
	b.wantHeld("[0 1 2]", small...)
	b.wantHeld("[1]", large[0], large[len(large)-1])
	b.wantUsage()
}

func TestWithoutSharesBlocksGoByLastUse(t *testing.T) {
	for _, share := range []float64{0, 1} {
		b, small, _ := shared(t, share)
		b.wantHeld("[]", small[0])
	}
}

// A tenant that has come down to its share loses no more than others, by last use; what it pinned does not
// spare it before.
func TestBlocksBeyondAShareGoDownToIt(t *testing.T) {
	b := newBench(t, 200)
	var size int64
	for seed := range uint64(4) {
		b.put(toyOf(1, seed))
	}
	for seed := range uint64(8) {
		s := toyOf(2, seed)
		b.put(s)
		b.Touch([]kv.Ref{s.Ref}, b.clock.Now().Add(time.Hour))
	}
	b.catalog.mu.Lock()
	defer b.catalog.mu.Unlock()
	b.catalog.index.All(func(found *block) bool { size = found.Value.physical; return true })
	b.evictor.cfg.Share = float64(6*size) / float64(b.cfg.Budget)
	leaves, order := b.catalog.leavesBeyond(b.evictor.excess()), ""
	for leaves.Len() > 0 {
		order += string('0' + rune(leaves.next().Salt[0]))
	}
	if order != "221111222222" {
		t.Errorf("tenants lose their blocks in the order %s", order)
	}
}
