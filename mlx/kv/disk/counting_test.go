package disk

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// openUncounted opens the folder anew, before what is in it was counted.
func (b *bench) openUncounted() {
	b.Helper()
	b.must(b.Close())
	tier, err := Open(b.cfg)
	b.must(err)
	b.Tier = tier
}

// While the folder is being indexed, blocks are read by their path, expected ones are found, and nothing is stored
// before the folder is counted.
func TestServingWhileIndexing(t *testing.T) {
	synctest.Test(t, serveWhileIndexing)
}

func serveWhileIndexing(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	c := toy(a.Key, 2)
	b.put(a)
	b.put(c)
	b.openUncounted()
	if _, err := b.Get(t.Context(), a.Ref, nil); err != nil {
		t.Errorf("read before the start: %v", err)
	}
	if err := b.Put(t.Context(), toy(kv.Root, 9).Entry, nil); !errors.Is(err, kv.ErrRefused) || !b.Status().Healthy {
		t.Errorf("store before the count: %v", err)
	}
	b.must(b.counter.count(t.Context()))
	found, err := b.Lookup(t.Context(), []kv.Ref{a.Ref, c.Ref})
	if err != nil || !found[0].Exists() || !found[1].Exists() || !b.Status().Indexing {
		t.Errorf("found %v, %v", found, err)
	}
	d := toy(kv.Root, 3)
	b.put(d)
	b.must(b.prepare(t.Context()))
	b.wantHeld("[0 1 2]", a, c, d)
	b.wantUsage()
}

// A store that comes before the folder is counted waits for the count, but neither for a disk that failed nor for long.
func TestAStoreWaitsForTheCount(t *testing.T) {
	for name, c := range map[string]struct {
		event   func(*bench, context.CancelFunc)
		wait    time.Duration
		refused bool
	}{
		"counted":   {event: func(b *bench, _ context.CancelFunc) { b.must(b.counter.count(b.Context())) }},
		"degraded":  {event: func(b *bench, _ context.CancelFunc) { _ = b.health.fail("test", 0, syscall.EIO) }, refused: true},
		"cancelled": {event: func(_ *bench, cancel context.CancelFunc) { cancel() }, refused: true},
		"nothing":   {event: func(*bench, context.CancelFunc) {}, wait: countPatience, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 100)
				b.openUncounted()
				began := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan error, 1)
				s := toy(kv.Root, 1)
				go func() { result <- b.Put(ctx, s.Entry, s.data) }()
				synctest.Wait()
				if len(result) != 0 {
					t.Fatalf("the store did not wait: %v", <-result)
				}
				c.event(b, cancel)
				err := <-result
				if wait := time.Since(began); errors.Is(err, kv.ErrRefused) != c.refused || !c.refused && err != nil || wait != c.wait {
					t.Errorf("%v after %s", err, wait)
				}
			})
		})
	}
}

// A tier that healed takes its stores' waiting up again: it is degraded anew by the next failure only.
func TestHealingEndsTheDegradation(t *testing.T) {
	b := newBench(t, 100)
	for range 2 {
		if isClosed(b.health.untilDegraded()) {
			t.Fatal("a healthy tier is degraded")
		}
		_ = b.health.fail("test", 0, syscall.EIO)
		if !isClosed(b.health.untilDegraded()) {
			t.Fatal("a failure does not degrade the tier")
		}
		b.must(b.prober.probe(t.Context()))
	}
}
