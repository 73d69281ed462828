package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// of is a request of a tenant.
func of(tenant string, req engine.Request) engine.Request {
	req.Tenant = tenant
	return req
}

// ask has n requests of a tenant answered, and counts them.
func ask(t *testing.T, e *engine.Engine, all *sync.WaitGroup, n int, req engine.Request, ended *atomic.Int32) {
	t.Helper()
	for range n {
		all.Go(func() {
			if _, _, err := answer(e, req); err != nil {
				t.Error(err)
			}
			ended.Add(1)
		})
	}
}

// Whoever fills the queue first holds another tenant up for one turn, not for all of theirs.
func TestATenantWithManyRequestsHoldsNoOtherUp(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, e *engine.Engine) {
		var all sync.WaitGroup
		var ended atomic.Int32
		ask(t, e, &all, 80, of("many", request(strings.Repeat("x", 640), 5)), &ended)
		synctest.Wait()
		if _, _, err := answer(e, of("one", request(strings.Repeat("y", 1280), 5))); err != nil {
			t.Fatal(err)
		}
		if n := ended.Load(); n > 12 {
			t.Errorf("%d requests of the tenant with many were answered before the only one of the other", n)
		}
		all.Wait()
	})
}

// Two tenants that always have requests get slots for the same time: neither the one with short questions,
// which alone would go first, nor the one with long prompts has all of them.
func TestTenantsShareTheSlotsEvenly(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, e *engine.Engine) {
		var all sync.WaitGroup
		var short, long atomic.Int32
		ask(t, e, &all, 200, of("short", request(strings.Repeat("x", 128), 1)), &short)
		ask(t, e, &all, 40, of("long", request(strings.Repeat("y", 640), 1)), &long)
		for long.Load() < 10 {
			time.Sleep(time.Millisecond)
		}
		if n := short.Load(); n < 10 || n > 120 {
			t.Errorf("meanwhile %d of 200 short questions were answered, and %d of 40 long ones", n, long.Load())
		}
		all.Wait()
	})
}

// A full queue takes nothing more of who filled it, and of another tenant as much as an even share.
func TestAFullQueueHasPlacesForOthers(t *testing.T) {
	g := newGate()
	e, stop := start(t, enginetest.New(enginetest.Config{Before: g.before}), func(cfg *engine.Config) { cfg.MaxQueue, cfg.MaxBatch = 12, 1 })
	var streams []*engine.Stream
	fill := func(tenant string) (n int) {
		for {
			stream, err := e.Submit(context.Background(), of(tenant, request("hello", 1)))
			if errors.Is(err, engine.ErrQueueFull) {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, stream)
			n++
		}
	}
	filled := fill("many") // one of them may have its slot, or not yet
	if filled < 12 || filled > 13 {
		t.Errorf("an empty queue takes %d", filled)
	}
	for _, c := range []struct {
		tenant string
		want   int
	}{{"many", 0}, {"second", 6}, {"second", 0}, {"third", 4}, {"many", 0}} {
		if n := fill(c.tenant); n != c.want {
			t.Errorf("of %s it takes %d, want %d", c.tenant, n, c.want)
		}
	}
	for i := range 100 {
		fill("other" + string(rune('a'+i)))
	}
	if n := e.Status().Queued; n > 24 {
		t.Errorf("%d wait in a queue of 12", n)
	}
	g.open()
	for _, stream := range streams {
		if _, _, err := readAll(stream); err != nil {
			t.Error(err)
		}
	}
	stop()
}
