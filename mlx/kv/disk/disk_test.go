package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const testDir = "/volume/cache"

// bench is a tier over a disk that a test controls, without Run: tests call its pieces.
type bench struct {
	testing.TB
	*Tier
	mem   *vfs.Mem
	disk  *vfs.Faulty
	clock *clock

	evicted map[string]int // files by reason
}

// newBench opens a tier with room for the given number of units besides what an empty one takes. After every
// operation its folder must not take more than the budget.
func newBench(t testing.TB, units int64, change ...func(*Config)) *bench {
	b := &bench{TB: t, clock: newClock(), evicted: map[string]int{}}
	b.mem = vfs.NewMem(vfs.MemConfig{Clock: b.clock.Now})
	budget := minBudget + units*unit
	b.disk = vfs.NewFaulty(b.mem, func(op vfs.Op) {
		if got := b.mem.Physical() - 2*unit; got > budget { // without / and /volume
			t.Errorf("after %s %s the folder takes %d of %d bytes", op.Kind, op.Name, got, budget)
		}
	})
	b.open(budget, change...)
	return b
}

func (b *bench) open(budget int64, change ...func(*Config)) {
	b.Helper()
	cfg := Config{FS: b.disk, Dir: testDir, Budget: budget, Header: tiertest.ToyHeader, Clock: b.clock.Now}
	cfg.Listener.Evicted = func(reason string, _ int64) { b.evicted[reason]++ }
	for _, f := range change {
		f(&cfg)
	}
	tier, err := Open(cfg)
	b.must(err)
	b.Tier = tier
	b.must(b.prepare(context.Background()))
}

// restart opens the folder anew, as a new process does.
func (b *bench) restart(change ...func(*Config)) {
	b.Helper()
	b.recency.writeTimes(context.Background())
	b.must(b.Close())
	b.open(b.cfg.Budget, change...)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func testSpace(n byte) kv.Space { return kv.Space{Fingerprint: kv.Fingerprint{n}, Salt: kv.SaltID{n}} }

// stored is a block with its bytes. Toys of this size take exactly two units.
type stored struct {
	kv.Entry
	data []byte
}

const toyUnits = 2

func toy(parent kv.Key, seed uint64) stored {
	e, data := tiertest.SizedToy(testSpace(1), parent, kv.BlockTokens, seed, unit+100)
	return stored{e, data}
}

func (b *bench) put(s stored) {
	b.Helper()
	b.must(b.Put(context.Background(), s.Entry, s.data))
	b.clock.advance(time.Second)
}

// has tells whether a block is found and reads as it was stored.
func (b *bench) has(s stored) bool {
	b.Helper()
	got, err := b.Get(context.Background(), s.Ref, nil)
	if errors.Is(err, kv.ErrNotFound) {
		if b.catalog.has(s.Space, s.Key) {
			b.Error("a block is found that cannot be read")
		}
		return false
	}
	b.must(err)
	if !bytes.Equal(got, s.data) {
		b.Errorf("block %s reads %d other bytes", s.Key, len(got))
	}
	return b.catalog.has(s.Space, s.Key)
}

// wantHeld names the blocks that are there by their place in the list.
func (b *bench) wantHeld(want string, blocks ...stored) {
	b.Helper()
	var held []int
	for i, s := range blocks {
		if b.has(s) {
			held = append(held, i)
		}
	}
	if got := fmt.Sprint(held); got != want {
		b.Errorf("blocks %s are there, want %s", got, want)
	}
}

// wantUsage compares the ledger with what lies in the folder.
func (b *bench) wantUsage() {
	b.Helper()
	usage, err := vfs.Usage(b.mem, testDir)
	b.must(err)
	if got := b.Status().Bytes; got != usage {
		b.Errorf("the ledger says %d bytes, the folder takes %d", got, usage)
	}
	if got := b.catalog.ledger.reserved; got != headroom {
		b.Errorf("%d bytes stay reserved", got)
	}
	if len(b.catalog.claims) != 0 {
		b.Errorf("%d claims are left", len(b.catalog.claims))
	}
}

// running opens a tier on a folder and runs it until the test ends.
func running(t *testing.T, cfg Config) *Tier {
	t.Helper()
	cfg.Header = tiertest.ToyHeader
	tier, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- tier.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, tier.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := tier.WaitIndexed(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tier
}

func TestConformance(t *testing.T) {
	for name, config := range map[string]func(t *testing.T) Config{
		"memory": func(t *testing.T) Config {
			return Config{FS: vfs.NewMem(vfs.MemConfig{}), Dir: testDir, Budget: 64 << 20}
		},
		"os": func(t *testing.T) Config { return Config{FS: vfs.OS{}, Dir: t.TempDir(), Budget: 64 << 20} },
	} {
		t.Run(name, func(t *testing.T) {
			tiertest.Run(t, func(t *testing.T) kv.Tier { return running(t, config(t)) }, tiertest.Toy)
		})
	}
}
