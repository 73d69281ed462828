package disk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// fill stores blocks without parents until the first is evicted, and returns all.
func (b *bench) fill() (blocks []stored) {
	b.Helper()
	for seed := uint64(1000); len(b.evicted) == 0; seed++ {
		s := toy(kv.Root, seed)
		b.put(s)
		blocks = append(blocks, s)
		if len(blocks) > 500 {
			b.Fatal("nothing is ever evicted")
		}
	}
	return blocks
}

func TestTheBlocksUsedLeastRecentlyGoFirst(t *testing.T) {
	b := newBench(t, 100)
	old := b.several(12)
	b.Touch([]kv.Ref{old[0].Ref}, time.Time{})
	blocks := b.fill()
	b.wantHeld("[0 2]", old[0], old[1], blocks[len(blocks)-1])
	b.wantUsage()
}

// several stores blocks without parents.
func (b *bench) several(n int) (blocks []stored) {
	b.Helper()
	for seed := range uint64(n) {
		blocks = append(blocks, toy(kv.Root, seed))
		b.put(blocks[seed])
	}
	return blocks
}

func TestEvictionGoesDownToTheLowMark(t *testing.T) {
	b := newBench(t, 200)
	b.fill()
	if n := b.evicted[ReasonBudget]; n < 5 {
		t.Errorf("%d blocks were evicted at once", n)
	}
	if used := b.Status().Bytes; used > b.evictor.lowMark() {
		t.Errorf("%d bytes are used, the low mark is %d", used, b.evictor.lowMark())
	}
}

func TestAChainGoesFromItsEnd(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	c := toy(a.Key, 2)
	d := toy(c.Key, 3)
	for _, s := range []stored{a, c, d} {
		b.put(s)
	}
	b.Touch([]kv.Ref{a.Ref}, time.Time{}) // the end is older now
	held := 3
	for seed := uint64(50); held > 0; seed++ {
		b.put(toy(kv.Root, seed))
		now := 0
		for i, s := range []stored{a, c, d} {
			if b.catalog.has(s.Space, s.Key) {
				if now++; now != i+1 {
					t.Fatalf("block %d is there without its parent", i)
				}
			}
		}
		held = now
	}
}

func TestPinnedBlocksGoLast(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	c := toy(a.Key, 2)
	b.put(a)
	b.put(c)
	b.Touch([]kv.Ref{c.Ref}, b.clock.Now().Add(time.Hour))
	for seed := range uint64(100) {
		b.put(toy(kv.Root, 100+seed))
	}
	b.wantHeld("[0 1]", a, c)
	b.clock.advance(time.Hour)
	for seed := range uint64(100) {
		b.put(toy(kv.Root, 300+seed))
	}
	b.wantHeld("[]", a, c)
}

func TestEvictedBlocksDoNotComeBackAfterAPowerCut(t *testing.T) {
	b := newBench(t, 100)
	blocks := b.fill()
	b.mem.Crash()
	b.must(reopen(b))
	if n := b.Status().Blocks; n != len(blocks)-b.evicted[ReasonBudget] {
		t.Errorf("%d blocks of %d after %d were evicted", n, len(blocks), b.evicted[ReasonBudget])
	}
}

func TestWhatIsReadOrContinuedIsNotEvicted(t *testing.T) {
	b := newBench(t, 20)
	a, c := toy(kv.Root, 1), toy(kv.Root, 2)
	b.put(a)
	b.put(c)
	pinned := b.catalog.acquire(a.Space, a.Key)
	b.must(b.evictor.trim(t.Context(), b.cfg.Budget))
	b.wantHeld("[0]", a, c)
	e, data := tiertest.SizedToy(testSpace(1), a.Key, kv.BlockTokens, 9, int(b.cfg.Budget))
	if err := b.Put(t.Context(), e, data); !errors.Is(err, kv.ErrRefused) {
		t.Errorf("stored more than the budget: %v", err)
	}
	b.catalog.release(pinned)
	b.wantHeld("[0]", a)
	b.wantUsage()
}

func TestBlocksOutliveTheirTTLOnlyIfPinned(t *testing.T) {
	b := newBench(t, 100, func(c *Config) { c.TTL = time.Hour })
	a := toy(kv.Root, 1)
	c := toy(a.Key, 2)
	d, e := toy(kv.Root, 3), toy(kv.Root, 4)
	for _, s := range []stored{a, c, d, e} {
		b.put(s)
	}
	b.Touch([]kv.Ref{d.Ref}, b.clock.Now().Add(3*time.Hour))
	b.clock.advance(50 * time.Minute)
	b.Touch([]kv.Ref{c.Ref}, time.Time{})
	b.clock.advance(20 * time.Minute)
	b.sweep(t.Context())
	b.wantHeld("[0 1 2]", a, c, d, e)
	b.clock.advance(time.Hour)
	b.sweep(t.Context())
	b.wantHeld("[2]", a, c, d, e)
	if n := b.evicted[ReasonTTL]; n != 3 {
		t.Errorf("%d blocks outlived their TTL", n)
	}
	b.wantUsage()
}

func TestEmptyFoldersAreGivenBack(t *testing.T) {
	b := newBench(t, 100)
	empty := b.Status().Bytes
	for seed := range uint64(8) {
		s := toy(kv.Root, seed)
		b.put(s)
		b.must(b.Delete(t.Context(), s.Ref))
	}
	b.sweep(t.Context())
	b.wantUsage()
	if got := b.Status().Bytes; got != empty {
		t.Errorf("an empty tier took %d bytes and takes %d now", empty, got)
	}
	a := toy(kv.Root, 1)
	b.put(a)
	b.wantHeld("[0]", a)
}

// narrow is a volume on which others leave only so much.
type narrow struct {
	vfs.FS
	free func() int64
}

func (n narrow) Free(string) (int64, error) { return n.free(), nil }

func TestTheFloorOfFreeSpaceHolds(t *testing.T) {
	others := int64(0)
	var b *bench
	b = newBench(t, 400, func(c *Config) {
		c.MinFree = 100 * unit
		c.FS = narrow{c.FS, func() int64 {
			if b == nil { // while it is being made
				return 300 * unit
			}
			return 300*unit - others - b.mem.Physical()
		}}
	})
	for seed := range uint64(200) {
		b.put(toy(kv.Root, seed))
		if free := b.cfg.FS.(narrow).free(); free < b.cfg.MinFree {
			t.Fatalf("%d bytes are free", free)
		}
	}
	if b.evicted[ReasonFreeSpace] == 0 || b.evicted[ReasonBudget] != 0 {
		t.Errorf("evicted %v", b.evicted)
	}
	others = 250 * unit
	a := toy(kv.Root, 1000)
	if err := b.Put(t.Context(), a.Entry, a.data); !errors.Is(err, kv.ErrRefused) {
		t.Errorf("stored below the floor: %v", err)
	}
	b.must(b.evictor.trim(t.Context(), 0))
	if n := b.Status().Blocks; n != 0 {
		t.Errorf("%d blocks stay below the floor", n)
	}
	b.wantUsage()
}

// Many store at once, and the budget holds after every operation (see newBench).
func TestConcurrentStoresHoldTheBudget(t *testing.T) {
	b := newBench(t, 80)
	var running sync.WaitGroup
	for worker := range uint64(8) {
		running.Go(func() {
			parent := kv.Root
			for n := range uint64(30) {
				s := toy(parent, worker<<16|n)
				err := b.Put(context.Background(), s.Entry, s.data)
				if err != nil && !errors.Is(err, kv.ErrRefused) {
					t.Error(err)
				}
				if parent = s.Key; n%5 == 0 {
					parent = kv.Root
					b.sweep(context.Background())
				}
			}
		})
	}
	running.Wait()
	b.wantUsage()
	if b.Status().Blocks == 0 || b.evicted[ReasonBudget] == 0 {
		t.Errorf("%d blocks, evicted %v", b.Status().Blocks, b.evicted)
	}
}

// operations draws what is done with a tier, and knows what must be there.
type operations struct {
	*bench
	truth *ledgerOfTruth
	all   []stored
}

// pick draws one of the blocks that were ever stored.
func (o *operations) pick(r *rapid.T) stored {
	return o.all[rapid.IntRange(0, len(o.all)-1).Draw(r, "block")]
}

// onOne does something with one of the blocks, if there is any.
func (o *operations) onOne(do func(*rapid.T, stored)) func(*rapid.T) {
	return func(r *rapid.T) {
		if len(o.all) > 0 {
			do(r, o.pick(r))
		}
	}
}

func (o *operations) storeNew(r *rapid.T) {
	parent := kv.Root
	if len(o.all) > 0 && rapid.Bool().Draw(r, "continues") {
		parent = o.pick(r).Key
	}
	tokens := rapid.SampledFrom([]int{kv.BlockTokens, 10}).Draw(r, "tokens")
	size := rapid.IntRange(0, 4*unit).Draw(r, "size")
	e, data := tiertest.SizedToy(testSpace(1), parent, tokens, uint64(len(o.all)), size)
	o.all = append(o.all, stored{e, data})
	if err := o.truth.store(o.bench, o.all[len(o.all)-1]); err != nil && !errors.Is(err, kv.ErrRefused) {
		r.Fatal(err)
	}
}

func (o *operations) quarantineOne(_ *rapid.T, s stored) {
	delete(o.truth.acknowledged, s.Path())
	o.must(o.Quarantine(context.Background(), s.Ref, errors.New("test")))
}

func (o *operations) check(r *rapid.T) {
	o.wantUsage()
	for _, s := range o.truth.acknowledged {
		if !o.has(s) {
			r.Fatalf("block %s is gone", s.Key)
		}
	}
}

// Whatever is done in whatever order, ledger and folder agree, also after a restart, and no block is lost that was
// not evicted.
func TestAnyOrderOfOperations(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		withTTL := func(c *Config) { c.TTL = time.Hour }
		b := newBench(t, int64(rapid.IntRange(0, 60).Draw(r, "units")), withTTL)
		o := &operations{bench: b, truth: newTruth()}
		minutes := func(r *rapid.T, from, to int) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(r, "min")) * time.Minute
		}
		r.Repeat(map[string]func(*rapid.T){
			"store":      o.storeNew,
			"again":      o.onOne(func(_ *rapid.T, s stored) { _ = o.truth.store(b, s) }),
			"remove":     o.onOne(func(_ *rapid.T, s stored) { b.must(o.truth.remove(b, s)) }),
			"quarantine": o.onOne(o.quarantineOne),
			"pin":        o.onOne(func(r *rapid.T, s stored) { b.Touch([]kv.Ref{s.Ref}, b.clock.Now().Add(minutes(r, 0, 100))) }),
			"time":       func(r *rapid.T) { b.clock.advance(minutes(r, 1, 30)) },
			"sweep":      func(*rapid.T) { b.sweep(context.Background()); o.truth.prune(b) },
			"restart":    func(*rapid.T) { b.restart(withTTL) },
			"":           o.check,
		})
	})
}

// The order in which leaves go is by last use, whatever the chains are.
func TestOrderOfLeaves(t *testing.T) {
	b := newBench(t, 200)
	parents := []kv.Key{kv.Root, kv.Root}
	names := map[kv.Key]string{}
	for n := range uint64(6) {
		s := toy(parents[n%2], n)
		parents[n%2] = s.Key
		names[s.Key] = fmt.Sprintf("%c%d", 'a'+rune(n%2), n/2)
		b.put(s)
	}
	b.catalog.mu.Lock()
	defer b.catalog.mu.Unlock()
	leaves := b.catalog.leaves(func(*block) bool { return true })
	var order []string
	for leaves.Len() > 0 {
		order = append(order, names[leaves.next().Key])
	}
	if want := []string{"a2", "a1", "a0", "b2", "b1", "b0"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}
