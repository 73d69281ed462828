package disk

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Each operation fails once. Nothing that was acknowledged is lost, and the tier heals.
func TestEveryOperationFailingOnce(t *testing.T) {
	whole := newBench(t, scenarioUnits)
	first := whole.disk.Operations()
	whole.must(scenario(whole, newTruth()))
	last := whole.disk.Operations()
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		for n := first + 1; n <= last; n++ {
			failAt(t, n, cause)
		}
	}
}

func failAt(t *testing.T, n int, cause error) {
	ctx := context.Background()
	b, truth := newBench(t, scenarioUnits), newTruth()
	b.disk.Inject(vfs.FailNth(n, cause))
	err := scenario(b, truth)
	b.disk.Inject(nil)
	if err != nil && !errors.Is(err, cause) && !errors.Is(err, kv.ErrRefused) {
		t.Errorf("operation %d: unexpected error %v", n, err)
	}
	if b.health.isDegraded() {
		b.must(b.prober.probe(ctx))
	}
	if !isClosed(b.indexed) { // the fault hit the restart
		_ = b.Close()
		b.must(reopen(b))
	}
	b.must(b.prepare(ctx))
	if status := b.Status(); !status.Healthy {
		t.Errorf("operation %d: not healed: %s", n, status.Problem)
	}
	for _, s := range truth.acknowledged {
		if !b.has(s) {
			t.Errorf("operation %d failed with %v: block %s is gone", n, cause, s.Path())
		}
	}
	b.must(reopen(b))
	for _, s := range truth.acknowledged {
		if !b.has(s) {
			t.Errorf("operation %d failed with %v: block %s is gone after a restart", n, cause, s.Path())
		}
	}
	b.wantNothingTorn(truth)
	b.wantUsage()
}

// A disk that fails costs one warning and refuses at once; Run finds out by itself that it works again.
func TestADegradedTierHealsByItself(t *testing.T) {
	for cause, advice := range map[error]string{
		syscall.ENOSPC: "free some space", syscall.EACCES: "owner", syscall.EROFS: "read-only", syscall.EIO: "kernel's log",
	} {
		synctest.Test(t, func(t *testing.T) { degradeAndHeal(t, cause, advice) })
	}
}

func degradeAndHeal(t *testing.T, cause error, advice string) {
	var log strings.Builder
	faulty := vfs.NewFaulty(vfs.NewMem(vfs.MemConfig{}), nil)
	tier := running(t, Config{FS: faulty, Dir: testDir, Budget: minBudget, Log: slog.New(slog.NewTextHandler(&log, nil))})
	faulty.Inject(vfs.FailMatching(vfs.OpWrite, "", cause))
	a := toy(kv.Root, 1)
	if err := tier.Put(t.Context(), a.Entry, a.data); !errors.Is(err, cause) {
		t.Errorf("the failing store: %v", err)
	}
	for range 100 {
		if err := tier.Put(t.Context(), a.Entry, a.data); !errors.Is(err, kv.ErrRefused) {
			t.Errorf("a store while degraded: %v", err)
		}
	}
	time.Sleep(10 * time.Minute)
	if status := tier.Status(); status.Healthy || !strings.Contains(status.Problem, advice) {
		t.Errorf("status %+v", status)
	}
	faulty.Inject(nil)
	time.Sleep(2 * time.Minute)
	if status := tier.Status(); !status.Healthy || status.Problem != "" {
		t.Errorf("not healed: %+v", status)
	}
	if err := tier.Put(t.Context(), a.Entry, a.data); err != nil {
		t.Error(err)
	}
	if w, i := strings.Count(log.String(), "disk_tier_degraded"), strings.Count(log.String(), "disk_tier_healed"); w != 1 || i != 1 {
		t.Errorf("%d warnings and %d healings in the log:\n%s", w, i, log.String())
	}
}

// A store that a full disk cut short leaves nothing behind.
func TestAFullDiskIsCleanedUp(t *testing.T) {
	mem := vfs.NewMem(vfs.MemConfig{Capacity: 12 * unit})
	tier := running(t, Config{FS: blindToSpace{mem}, Dir: testDir, Budget: 1 << 30})
	before := mem.Physical()
	a := toy(kv.Root, 1)
	if err := tier.Put(t.Context(), a.Entry, make([]byte, 20*unit)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("stored on a full disk: %v", err)
	}
	if got := mem.Physical(); got != before {
		t.Errorf("%d bytes became %d", before, got)
	}
}

// blindToSpace hides that the volume is full until something is written.
type blindToSpace struct{ vfs.FS }

func (blindToSpace) Free(string) (int64, error) { return 1 << 40, nil }

func TestAReadErrorIsNoMiss(t *testing.T) {
	b := newBench(t, 20)
	a := toy(kv.Root, 1)
	b.put(a)
	b.disk.Inject(vfs.FailMatching(vfs.OpRead, "", syscall.EIO))
	if _, err := b.Get(t.Context(), a.Ref, nil); !errors.Is(err, syscall.EIO) || errors.Is(err, kv.ErrNotFound) {
		t.Errorf("read: %v", err)
	}
	if b.Status().Healthy {
		t.Error("the tier is healthy")
	}
	b.disk.Inject(nil)
	b.must(b.prober.probe(t.Context()))
	b.wantHeld("[0]", a)
}

func TestASlowStoreIsReportedAndKept(t *testing.T) {
	b := newBench(t, 20)
	b.disk.Inject(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			b.clock.advance(time.Minute)
			if status := b.Status(); !strings.Contains(status.Problem, "slow") {
				t.Errorf("while it hangs: %+v", status)
			}
		}
		return nil
	})
	a := toy(kv.Root, 1)
	b.put(a)
	if status := b.Status(); !status.Healthy || !strings.Contains(status.Problem, "slow") {
		t.Errorf("after a slow store: %+v", status)
	}
	b.disk.Inject(nil)
	b.put(toy(kv.Root, 2))
	if status := b.Status(); status.Problem != "" {
		t.Errorf("after a fast store: %+v", status)
	}
	b.wantHeld("[0]", a)
}
