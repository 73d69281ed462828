package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/disk"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// openDisk runs a disk tier over a file system until the test, or the returned function, ends it.
func openDisk(t testing.TB, fs vfs.FS) (*disk.Tier, func()) {
	t.Helper()
	tier, err := disk.Open(disk.Config{
		FS: fs, Dir: "/blocks", Budget: 64 << 20, Header: blockfile.ReadEntry, ProbeMin: time.Millisecond, ProbeMax: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = tier.Run(ctx) })
	if err := tier.WaitIndexed(ctx); err != nil {
		t.Fatal(err)
	}
	return tier, sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := tier.Close(); err != nil {
			t.Error(err)
		}
	})
}

// node is an engine over a disk.
type node struct {
	*engine.Engine
	model *enginetest.Model
	tier  *disk.Tier
	chain atomic.Pointer[kv.Chain] // of the last answer
	stop  func()
}

func startNode(t testing.TB, fs vfs.FS, blocks int64, change func(*engine.Config)) *node {
	t.Helper()
	return startNodeOn(t, enginetest.New(enginetest.Config{NoEnd: true}), fs, blocks, change)
}

func startNodeOn(t testing.TB, model *enginetest.Model, fs vfs.FS, blocks int64, change func(*engine.Config)) *node {
	t.Helper()
	n := &node{model: model}
	tier, closeTier := openDisk(t, fs)
	n.tier = tier
	e, stop := start(t, n.model, func(c *engine.Config) {
		remember(blocks)(c)
		c.Tiers = []kv.Tier{tier}
		c.Listener.Finished = func(f engine.Finished) { n.chain.Store(&f.Chain) }
		if change != nil {
			change(c)
		}
	})
	n.Engine = e
	n.stop = func() { stop(); closeTier() }
	return n
}

func (n *node) cache(t testing.TB) *cache.Cache {
	t.Helper()
	c, err := n.Cache()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// flush makes all durable.
func (n *node) flush(t testing.TB) {
	t.Helper()
	if _, err := n.cache(t).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
