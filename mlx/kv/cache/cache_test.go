package cache_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
)

type bytesOf struct{ data []byte }

func (bytesOf) Free() {}

// plain keeps a block's rows as they are.
type plain struct{}

func (plain) Export(from pool.Memory, tokens int) ([][]byte, error) {
	return [][]byte{from.(*bytesOf).data[:4*tokens]}, nil
}

func (plain) Import(to pool.Memory, _ int, parts [][]byte) error {
	copy(to.(*bytesOf).data, parts[0])
	return nil
}

// stack is a cache over a pool of a few blocks and one shelf.
type stack struct {
	*cache.Cache
	pool   *pool.Pool
	below  *tiertest.Shelf
	tenant *kv.Tenant
	failed func() []string
	// refusing tells that not every block can be flushed.
	refusing bool
}

func newStack(t *testing.T, blocks int64, further ...kv.Tier) *stack {
	t.Helper()
	return newStackWith(t, blocks, nil, further...)
}

func newStackWith(t *testing.T, blocks int64, policies map[string]cache.Policy, further ...kv.Tier) *stack {
	t.Helper()
	return newStackOf(t, blocks, func(c *cache.Config) { c.Policies = policies }, further...)
}

func newStackOf(t *testing.T, blocks int64, change func(*cache.Config), further ...kv.Tier) *stack {
	t.Helper()
	p, err := pool.New(pool.Config{Budget: blocks, BlockBytes: 1, Allocate: func() (pool.Memory, error) {
		return &bytesOf{make([]byte, 4*kv.BlockTokens)}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var failures []string
	s := &stack{pool: p, below: tiertest.NewShelf("shelf"), tenant: kv.NewTenant([]byte("secret"), "t")}
	s.failed = func() []string { mu.Lock(); defer mu.Unlock(); return failures }
	cfg := cache.Config{
		Pool: p, Tiers: append([]kv.Tier{s.below}, further...), Rows: plain{},
		Form: cache.Form{Bits: 16, Class: "test", Layers: []blockfile.Layer{{KVHeads: 1, HeadDim: 1}}},
		Listener: cache.Listener{Failed: func(tier, doing string, err error) {
			mu.Lock()
			defer mu.Unlock()
			failures = append(failures, fmt.Sprint(tier, " ", doing, " ", err))
		}},
	}
	change(&cfg)
	s.Cache = cache.New(cfg)
	t.Cleanup(s.Close)
	return s
}

// add seals a block behind the parent, stores it if wished, and returns its name.
func (s *stack) add(t *testing.T, parent kv.Key, seed int32, store bool) kv.Entry {
	t.Helper()
	tokens := make([]int32, kv.BlockTokens)
	tokens[0] = seed
	space := kv.Space{Salt: s.tenant.ID}
	ref := kv.Ref{Space: space, Parent: parent, Key: s.tenant.Key(space.Fingerprint, parent, kv.PromptTokens(tokens)), Tokens: kv.BlockTokens}
	e := kv.Entry{Ref: ref, Tags: s.tenant.Tags(space.Fingerprint, parent, kv.PromptTokens(tokens))}
	b, err := s.pool.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	s.pool.Release(s.pool.Publish(b, e))
	if store {
		s.Store(s.tenant, e, true)
		if _, err := s.Flush(t.Context()); err != nil && !s.refusing {
			t.Fatal(err)
		}
	}
	return e
}

// A pool that is in use fails a flight before anything is read, and no tier is blamed for it.
func TestAFullPoolReadsNothingAndBlamesNoTier(t *testing.T) {
	s := newStack(t, 2)
	wanted := s.add(t, kv.Root, 1, true)
	s.Trim(t.Context())
	var held []*pool.Block
	for range 2 {
		b, err := s.pool.Allocate()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, b)
	}
	for range 50 {
		for _, urgent := range []bool{false, true} {
			f := s.Fetch(s.tenant, nil, cache.Found{Ref: wanted.Ref, Tiers: []int{0}}, nil)
			if urgent {
				f.Hurry()
			}
			if err := f.Wait(t.Context()); !errors.Is(err, pool.ErrFull) {
				t.Fatalf("fetched into a full pool: %v", err)
			}
		}
	}
	if s.below.Gets() != 0 || len(s.failed()) != 0 {
		t.Errorf("%d reads, failures %v", s.below.Gets(), s.failed())
	}
	s.pool.Release(held[0])
	if err := s.Fetch(s.tenant, nil, cache.Found{Ref: wanted.Ref, Tiers: []int{0}}, nil).Wait(t.Context()); err != nil || !s.pool.Has(wanted.Space, wanted.Key) {
		t.Errorf("with room: %v", err)
	}
	s.pool.Release(held[1])
	if err := s.pool.Check(); err != nil {
		t.Error(err)
	}
}

// What is wrong with a block is damage, what the tier could not do is its failure, and neither takes room for good.
func TestDamageIsNoFailureOfATier(t *testing.T) {
	for name, c := range map[string]struct {
		err                   error
		failures, quarantined int
	}{
		"damaged":  {fmt.Errorf("odd: %w", kv.ErrDamaged), 0, 1},
		"missing":  {kv.ErrNotFound, 0, 0},
		"a reason": {errors.New("the disk is on fire"), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, 1)
			wanted := s.add(t, kv.Root, 1, true)
			s.Trim(t.Context())
			s.below.Fail(c.err)
			if err := s.Fetch(s.tenant, nil, cache.Found{Ref: wanted.Ref, Tiers: []int{0}}, nil).Wait(t.Context()); !errors.Is(err, c.err) {
				t.Errorf("fetched: %v", err)
			}
			if len(s.failed()) != c.failures || s.below.Damaged() != c.quarantined {
				t.Errorf("failures %v, %d quarantined", s.failed(), s.below.Damaged())
			}
			if free := s.pool.Stats(); free.Resident != 0 {
				t.Errorf("%+v", free)
			}
		})
	}
}

// A block that no tier took stays; those behind it in the order go all the same, and so does what was allocated
// ahead.
func TestLeversPassOverWhatOnlyThePoolHas(t *testing.T) {
	for name, pull := range map[string]func(s *stack) (kv.Moved, error){
		"trim":  func(s *stack) (kv.Moved, error) { return s.Trim(t.Context()), nil },
		"bytes": func(s *stack) (kv.Moved, error) { return s.EvictBytes(t.Context(), 3) },
		"age":   func(s *stack) (kv.Moved, error) { return s.EvictOlder(t.Context(), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, 10)
			first := s.add(t, kv.Root, 1, false)
			s.below.Refuse(first.Key)
			s.refusing = true
			for seed := range int32(3) {
				s.add(t, kv.Root, 2+seed, true)
			}
			for range 4 {
				if ok, err := s.pool.AllocateAhead(4); err != nil || !ok {
					t.Fatal(ok, err)
				}
			}
			moved, err := pull(s)
			want := map[string]int{"trim": 7, "bytes": 3, "age": 3}[name]
			if moved.Blocks != want || moved.Bytes != int64(want) {
				t.Errorf("moved %+v, want %d", moved, want)
			}
			if (err != nil) != (name == "age") || err != nil && !strings.Contains(err.Error(), "1 of them stay") {
				t.Errorf("error: %v", err)
			}
			if !s.pool.Has(first.Space, first.Key) {
				t.Error("what only the pool has is lost")
			}
			if name == "trim" {
				if ok, err := s.pool.AllocateAhead(4); ok || err != nil || s.pool.Stats().Resident != 1 {
					t.Errorf("allocated ahead again: %v, %v, %+v", ok, err, s.pool.Stats())
				}
			}
			if err := s.pool.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A tier forgot a block that the pool believes durable: no lever loses it.
func TestLeversAskTheTierAndNotTheirMemory(t *testing.T) {
	s := newStack(t, 10)
	e := s.add(t, kv.Root, 1, true)
	s.below.Lose(e.Key)
	if moved := s.Trim(t.Context()); moved.Blocks != 0 || !s.pool.Has(e.Space, e.Key) {
		t.Errorf("trimmed %+v", moved)
	}
	chain := []kv.Chain{{Space: e.Space, Keys: []kv.Key{e.Key}, Tokens: kv.BlockTokens}}
	if moved, err := s.Evict(t.Context(), chain, "shelf"); err != nil || moved.Blocks != 1 {
		t.Errorf("evicted %+v, %v", moved, err)
	}
	if s.below.Data(e.Key) == nil {
		t.Error("the tier does not have it")
	}
	s.add(t, kv.Root, 1, false)
	if moved, err := s.Evict(t.Context(), chain, "bucket"); err == nil || moved.Blocks != 0 || !s.pool.Has(e.Space, e.Key) {
		t.Errorf("evicted to a tier that isn't there: %+v, %v", moved, err)
	}
}

// A block turns out damaged while the same block, computed meanwhile, is in the pool and counts as stored: it
// is stored anew, whichever comes first.
func TestADamagedBlockIsStoredAnewFromThePool(t *testing.T) {
	for range 20 {
		s := newStack(t, 4)
		e := s.add(t, kv.Root, 1, true)
		s.Trim(t.Context())
		s.below.Change(e.Key, []byte("damaged"))
		flight := s.Fetch(s.tenant, nil, cache.Found{Ref: e.Ref, Tiers: []int{0}}, nil)
		s.Store(s.tenant, s.add(t, kv.Root, 1, false), true)
		_ = flight.Wait(t.Context()) // damaged, or the pool had it first
		var err error
		for began := time.Now(); s.below.Damaged() > 0; time.Sleep(time.Millisecond) {
			_, err = s.Flush(t.Context()) // fails truly where the quarantine comes between its store and its count
			if s.below.Data(e.Key) != nil {
				break
			}
			if time.Since(began) > 20*time.Second {
				t.Fatal("it is not stored again: ", err)
			}
		}
		s.Close()
	}
}

// Prefetching brings up what there is room for, and tells what there was none for.
func TestPrefetchingTellsWhatHadNoRoom(t *testing.T) {
	s := newStack(t, 2)
	c := kv.Chain{}
	for seed := range int32(5) {
		parent := kv.Root
		if len(c.Keys) > 0 {
			parent = c.Keys[len(c.Keys)-1]
		}
		e := s.add(t, parent, seed, true)
		c.Space, c.Keys, c.Tokens = e.Space, append(c.Keys, e.Key), c.Tokens+kv.BlockTokens
	}
	s.Trim(t.Context())
	s.below.Lose(c.Keys[4])
	moved, err := s.Prefetch(t.Context(), s.tenant, []kv.Chain{c})
	if err != nil || moved.Blocks == 0 || moved.Blocks > 2 || moved.Blocks+moved.NoRoom != 4 {
		t.Errorf("%+v, %v", moved, err)
	}
	s.below.Fail(errors.New("a bad cable"))
	s.Trim(t.Context())
	if moved, err := s.Prefetch(t.Context(), s.tenant, []kv.Chain{c}); err == nil || moved.Blocks != 0 {
		t.Errorf("a tier that can't be read: %+v, %v", moved, err)
	}
}
