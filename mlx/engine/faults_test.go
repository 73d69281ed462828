package engine_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

func TestADamagedBlockIsQuarantinedAndComputedAnew(t *testing.T) {
	fs, damaged := vfs.NewMem(vfs.MemConfig{}), atomic.Int64{}
	n := startNode(t, fs, 0, nil)
	talk := strings.Repeat("damage ", 150)
	want, _, err := answer(n.Engine, request(talk, 30))
	if err != nil {
		t.Fatal(err)
	}
	n.flush(t)
	entry := n.chain.Load().Refs()[2]
	n.stop()
	flip(t, fs, "/blocks/"+entry.Path())

	n = startNode(t, fs, 0, func(c *engine.Config) {
		c.Moves.Damaged = func(string, error) { damaged.Add(1) }
	})
	defer n.stop()
	got, result, err := answer(n.Engine, request(talk, 30))
	if err != nil || got != want {
		t.Errorf("%q, want %q, %v", got, want, err)
	}
	if damaged.Load() != 1 || result.Usage.Cached < 2*engine.BlockTokens {
		t.Errorf("%d blocks were found damaged, %d tokens read", damaged.Load(), result.Usage.Cached)
	}
	if quarantined, err := fs.List("/blocks/quarantine"); err != nil || len(quarantined) != 1 {
		t.Errorf("quarantine holds %v, %v", quarantined, err)
	}
}

// flip changes a byte in the payload of a block file.
func flip(t *testing.T, fs vfs.FS, path string) {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	size, _ := f.Size()
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	f.Close()
	data[size-3] ^= 1
	to, err := fs.Create(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.Write(data)
	if err := errors.Join(err, to.Close(), fs.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func TestTheDiskFailsAndAnswersGoOn(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem(vfs.MemConfig{}), nil)
	n := startNode(t, faulty, 0, nil)
	defer n.stop()
	broken := atomic.Bool{}
	broken.Store(true)
	faulty.Inject(func(vfs.Op) error { return brokenIf(&broken) })
	talk := "x"
	for range 5 {
		text, _, err := answer(n.Engine, request(talk, 150))
		if err != nil {
			t.Fatal(err)
		}
		talk += text
	}
	waitFor(t, "the tier to be degraded", func() bool { return !n.tier.Status().Healthy })
	waitFor(t, "nothing to count as in use", func() bool { return n.Status().PoolUtilization == 0 })
	broken.Store(false)
	waitFor(t, "what was not stored to be stored", func() bool {
		h := n.cache(t).Holdings(t.Context(), []kv.Chain{*n.chain.Load()})
		return h[1].Tokens == n.chain.Load().Tokens
	})
}

func brokenIf(broken *atomic.Bool) error {
	if broken.Load() {
		return errors.New("disk is broken")
	}
	return nil
}

// Whatever is evicted, restarted, preempted, damaged or fetched meanwhile, every answer is that of an engine without
// memory, and the pool's invariants hold.
func TestTiersNeverChangeAnAnswer(t *testing.T) {
	plain, stopPlain := start(t, enginetest.New(enginetest.Config{NoEnd: true}), nil)
	defer stopPlain()
	rapid.Check(t, func(r *rapid.T) {
		fs := vfs.NewMem(vfs.MemConfig{})
		blocks := rapid.Int64Range(5, 14).Draw(r, "blocks")
		var wrong atomic.Value
		var running atomic.Pointer[engine.Engine]
		var n *node
		begin := func() {
			running.Store(nil)
			n = startNode(t, fs, blocks, func(c *engine.Config) {
				c.Listener.Stepped = func(engine.Step) {
					if e := running.Load(); e != nil {
						if err := e.CheckPool(); err != nil {
							wrong.Store(err)
						}
					}
				}
			})
			running.Store(n.Engine)
		}
		begin()
		defer func() { n.stop() }()
		talks := make([]string, 3)
		for range rapid.IntRange(1, 6).Draw(r, "rounds") {
			var streams [3]*engine.Stream
			for i := range talks {
				talks[i] = drawTalk(r, talks)
				streams[i] = submit(t, n.Engine, request(talks[i], 60))
			}
			for i, stream := range streams {
				got, result, err := readAll(stream)
				want, _, wantErr := answer(plain, request(talks[i], 60))
				if err != nil || wantErr != nil || got != want || result.Usage.Cached >= result.Usage.Prompt {
					r.Fatalf("%+v: %q (%v), an engine without memory says %q (%v)", result.Usage, got, err, want, wantErr)
				}
				talks[i] += got
			}
			switch rapid.SampledFrom([]string{"go on", "evict", "damage", "restart", "trim"}).Draw(r, "then") {
			case "evict":
				if _, err := n.cache(t).Evict(t.Context(), []kv.Chain{*n.chain.Load()}, ""); err != nil {
					r.Fatal(err)
				}
			case "damage":
				damageOne(t, r, fs, n)
			case "restart":
				n.stop()
				begin()
			case "trim":
				n.cache(t).Trim(t.Context())
			}
		}
		if err := wrong.Load(); err != nil {
			r.Fatal(err)
		}
	})
}

// damageOne takes the last answer's blocks out of the pool and flips a byte of one of them on disk, if it got there.
func damageOne(t *testing.T, r *rapid.T, fs vfs.FS, n *node) {
	chain := *n.chain.Load()
	if _, err := n.cache(t).Evict(t.Context(), []kv.Chain{chain}, ""); err != nil {
		r.Fatal(err)
	}
	entries := chain.Refs()
	path := "/blocks/" + entries[rapid.IntRange(0, len(entries)-1).Draw(r, "damaged block")].Path()
	if _, err := fs.Stat(path); err == nil {
		flip(t, fs, path)
	}
}

func TestASlowDiskSlowsNoAnswer(t *testing.T) {
	faulty := vfs.NewFaulty(vfs.NewMem(vfs.MemConfig{}), nil)
	n := startNode(t, faulty, 20, nil)
	gate := make(chan struct{})
	faulty.Inject(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync { // hangs until the gate opens
			<-gate
		}
		return nil
	})
	talk := "x"
	for range 6 {
		text, _, err := answer(n.Engine, request(talk, 300))
		if err != nil {
			t.Fatal(err)
		}
		talk += text
	}
	if h := n.cache(t).Holdings(t.Context(), []kv.Chain{*n.chain.Load()}); h[1].Blocks != 0 {
		t.Errorf("a disk that hangs holds %d blocks: the test shows nothing", h[1].Blocks)
	}
	close(gate)
	waitFor(t, "all to be durable once the disk goes on", func() bool {
		h := n.cache(t).Holdings(t.Context(), []kv.Chain{*n.chain.Load()})
		return h[1].Tokens == n.chain.Load().Tokens
	})
	n.stop()
}
