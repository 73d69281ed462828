package disk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// ledgerOfTruth is what a test knows must be there, because a store returned nil and nothing took it away.
type ledgerOfTruth struct {
	acknowledged map[string]stored
	everStored   map[string]stored
	removed      map[string]stored // for good, and not stored again
	pruned       int               // blocks that the tier gave up by itself
}

func newTruth() *ledgerOfTruth {
	return &ledgerOfTruth{
		acknowledged: map[string]stored{},
		everStored:   map[string]stored{},
		removed:      map[string]stored{},
	}
}

// store notes a store that was tried. What eviction takes away inside the call is noted by prune.
func (l *ledgerOfTruth) store(b *bench, s stored) error {
	l.everStored[s.Path()] = s
	delete(l.removed, s.Path())
	err := b.Put(context.Background(), s.Entry, s.data)
	if err == nil {
		l.acknowledged[s.Path()] = s
	}
	l.prune(b)
	return err
}

func (l *ledgerOfTruth) remove(b *bench, s stored) error {
	delete(l.acknowledged, s.Path()) // begun: it may be gone, even if the call fails
	err := b.Delete(context.Background(), s.Ref)
	if err == nil {
		l.removed[s.Path()] = s
	}
	return err
}

// prune forgets what the tier itself gave up: it is in the index no more.
func (l *ledgerOfTruth) prune(b *bench) {
	for path, s := range l.acknowledged {
		if !b.catalog.has(s.Space, s.Key) {
			delete(l.acknowledged, path)
			l.pruned++
		}
	}
}

// scenario stores chains and tails, stores again, removes, quarantines, evicts, and restarts in the middle.
func scenario(b *bench, truth *ledgerOfTruth) error {
	var errs []error
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	parent := kv.Root
	for seed := range uint64(6) {
		s := toy(parent, seed)
		note(truth.store(b, s))
		b.clock.advance(1)
		if parent = s.Key; seed%3 == 2 {
			parent = kv.Root
		}
	}
	tail, data := tiertest.SizedToy(testSpace(2), kv.Root, 9, 1, 300)
	note(truth.store(b, stored{tail, data}))
	note(truth.store(b, toy(kv.Root, 0)))
	note(truth.remove(b, toy(kv.Root, 3)))
	delete(truth.acknowledged, tail.Path())
	note(b.Quarantine(context.Background(), tail.Ref, errors.New("test")))
	if err := reopen(b); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for seed := range uint64(10) {
		note(truth.store(b, toy(kv.Root, 100+seed)))
		if seed == 4 {
			b.sweep(context.Background())
		}
	}
	note(truth.remove(b, toy(kv.Root, 109)))
	return errors.Join(errs...)
}

// reopen is a restart that a power cut may hit.
func reopen(b *bench) error {
	if err := b.Close(); err != nil {
		return err
	}
	tier, err := Open(b.cfg)
	if err != nil {
		return err
	}
	b.Tier = tier
	return tier.prepare(context.Background())
}

const scenarioUnits = 14

// Whenever the power goes, all that was acknowledged is there afterwards, nothing found is torn, no temp file is
// left, and the budget holds.
func TestAPowerCutAtEveryOperation(t *testing.T) {
	whole := newBench(t, scenarioUnits)
	truth := newTruth()
	whole.must(scenario(whole, truth))
	operations := whole.mem.Operations()
	if n := whole.evicted[ReasonBudget]; n == 0 || n != truth.pruned || len(truth.acknowledged) < 4 {
		t.Errorf("the scenario evicts %d blocks, loses %d, and keeps %d", n, truth.pruned, len(truth.acknowledged))
	}
	for n := range operations {
		for mode, crash := range map[string]func(*vfs.Mem){
			"all": (*vfs.Mem).Crash,
			"some": func(m *vfs.Mem) {
				m.CrashKeeping(rand.New(rand.NewPCG(uint64(n), 7)))
			},
		} {
			cutAt(t, n, mode, crash)
		}
	}
}

func cutAt(t *testing.T, n int, mode string, crash func(*vfs.Mem)) {
	b := newBench(t, scenarioUnits)
	truth := newTruth()
	already := b.mem.Operations()
	b.mem.CutPowerAfter(max(0, n-already))
	err := scenario(b, truth)
	if err == nil && n > already+1 && b.mem.Operations() > n {
		t.Errorf("operation %d: the power cut was not felt", n)
	}
	crash(b.mem)
	b.must(reopen(b))
	for _, s := range truth.acknowledged {
		if !b.has(s) {
			t.Errorf("power cut after operation %d, unsynced changes lost: %s: block %s is gone", n, mode, s.Path())
		}
	}
	for _, s := range truth.removed {
		if b.has(s) {
			t.Errorf("operation %d: the removed block %s is back", n, s.Path())
		}
	}
	b.wantNothingTorn(truth)
	b.wantUsage()
	if left, err := b.mem.List(testDir + "/" + tempDir); err != nil || len(left) > 0 {
		t.Errorf("operation %d: %d temp files are left, %v", n, len(left), err)
	}
}

// wantNothingTorn reads all that the index has.
func (b *bench) wantNothingTorn(truth *ledgerOfTruth) {
	b.Helper()
	var entries []kv.Entry
	b.catalog.index.All(func(found *block) bool {
		entries = append(entries, found.Entry)
		return true
	})
	for _, e := range entries {
		data, err := b.Get(context.Background(), e.Ref, nil)
		if err == nil {
			err = tiertest.CheckToy(data)
		}
		if err != nil {
			b.Errorf("found block %s: %v", e.Key, err)
		}
		if _, ever := truth.everStored[e.Path()]; !ever {
			b.Errorf("block %s was never stored", e.Key)
		}
	}
}

// A power cut during the very first start leaves a folder that the next start takes.
func TestAPowerCutDuringTheFirstStart(t *testing.T) {
	whole := newBench(t, 0)
	for n := range whole.mem.Operations() {
		mem := vfs.NewMem(vfs.MemConfig{})
		cfg := Config{FS: mem, Dir: testDir, Budget: minBudget, Header: tiertest.ToyHeader}
		mem.CutPowerAfter(n)
		if tier, err := Open(cfg); err == nil {
			if err := tier.prepare(context.Background()); err == nil {
				t.Errorf("operation %d: the power cut was not felt", n)
			}
		}
		mem.Crash()
		tier, err := Open(cfg)
		if err == nil {
			err = tier.prepare(context.Background())
		}
		if err != nil {
			t.Error(fmt.Errorf("power cut after operation %d: %w", n, err))
		}
	}
}
