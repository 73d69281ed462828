package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/disk"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// openDisk runs a disk tier over a file system until the test, or the returned function, ends it.
func openDisk(t testing.TB, fs vfs.FS) (*disk.Tier, func()) {
	t.Helper()
	tier, err := disk.Open(disk.Config{
		FS: fs, Dir: "/blocks", Budget: 64 << 20, Header: kv.ReadEntry, ProbeMin: time.Millisecond, ProbeMax: 10 * time.Millisecond,
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

func TestAConversationIsReadAfterARestart(t *testing.T) {
	fs, talk := vfs.NewMem(vfs.MemConfig{}), strings.Repeat("once upon a time ", 40)
	for turn := range 6 {
		n := startNode(t, fs, 0, nil)
		before := len(talk)
		text, result, err := answer(n.Engine, request(talk+" go on", 70))
		if err != nil {
			t.Fatal(err)
		}
		if turn > 0 && result.Usage.Cached < before-1 {
			t.Errorf("turn %d: %d of %d tokens were read", turn, result.Usage.Cached, before)
		}
		plain, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), nil)
		if want, _, _ := answer(plain, request(talk+" go on", 70)); want != text {
			t.Errorf("turn %d: %q, an engine without memory says %q", turn, text, want)
		}
		stop()
		talk += " go on" + text
		n.stop()
	}
}

func TestAnEvictedConversationComesBackFromTheDisk(t *testing.T) {
	n := startNode(t, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	talk := strings.Repeat("evicted ", 200)
	text, _, err := answer(n.Engine, request(talk, 40))
	if err != nil {
		t.Fatal(err)
	}
	moved, err := n.cache(t).Evict(t.Context(), []kv.Chain{*n.chain.Load()})
	if err != nil || moved.Blocks != 7 {
		t.Errorf("evicted %+v, %v", moved, err)
	}
	holdings := n.cache(t).Holdings([]kv.Chain{*n.chain.Load()})
	if holdings[0].Blocks != 0 || holdings[1].Tokens != len(talk)+39 {
		t.Errorf("after eviction: %+v", holdings)
	}
	talk += text
	if _, result, err := answer(n.Engine, request(talk+"?", 5)); err != nil || result.Usage.Cached != len(talk)-1 {
		t.Errorf("%d of %d tokens were read, %v", result.Usage.Cached, len(talk), err)
	}
}

func TestPrefetchRetainAndDeleteOfAConversation(t *testing.T) {
	n := startNode(t, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	c, tenant := n.cache(t), kv.NewTenant([]byte("cluster"), "")
	if _, _, err := answer(n.Engine, request(strings.Repeat("p", 1000), 40)); err != nil {
		t.Fatal(err)
	}
	chains := []kv.Chain{*n.chain.Load()}
	if _, err := c.Evict(t.Context(), chains); err != nil {
		t.Fatal(err)
	}
	if moved, err := c.Prefetch(t.Context(), tenant, chains); err != nil || moved.Blocks != 5 {
		t.Errorf("prefetched %+v, %v", moved, err)
	}
	if h := c.Holdings(chains); h[0].Tokens != 1039 || n.Status().PoolUtilization != 0 {
		t.Errorf("after prefetch: %+v", h)
	}
	c.Retain(chains, time.Now().Add(time.Hour))
	if moved, err := c.Delete(t.Context(), chains[0].Entries()); err != nil || moved.Blocks != 5 {
		t.Errorf("deleted %+v, %v", moved, err)
	}
	for _, h := range c.Holdings(chains) {
		if h.Blocks != 0 {
			t.Errorf("after deletion: %+v", h)
		}
	}
}

func TestADamagedBlockIsQuarantinedAndComputedAnew(t *testing.T) {
	fs, damaged := vfs.NewMem(vfs.MemConfig{}), atomic.Int64{}
	n := startNode(t, fs, 0, nil)
	talk := strings.Repeat("damage ", 150)
	want, _, err := answer(n.Engine, request(talk, 30))
	if err != nil {
		t.Fatal(err)
	}
	n.flush(t)
	entry := n.chain.Load().Entries()[2]
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
		h := n.cache(t).Holdings([]kv.Chain{*n.chain.Load()})
		return h[1].Tokens == n.chain.Load().Tokens
	})
}

func brokenIf(broken *atomic.Bool) error {
	if broken.Load() {
		return errors.New("disk is broken")
	}
	return nil
}

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
	}
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
			switch rapid.SampledFrom([]string{"go on", "evict", "restart", "trim"}).Draw(r, "then") {
			case "evict":
				if _, err := n.cache(t).Evict(t.Context(), []kv.Chain{*n.chain.Load()}); err != nil {
					r.Fatal(err)
				}
			case "restart":
				n.stop()
				begin()
			case "trim":
				n.cache(t).Trim()
			}
		}
		if err := wrong.Load(); err != nil {
			r.Fatal(err)
		}
	})
}

func TestTwoWhoShareABeginningFetchItOnce(t *testing.T) {
	fs, fetched := vfs.NewMem(vfs.MemConfig{}), atomic.Int64{}
	n := startNode(t, fs, 0, nil)
	system := strings.Repeat("s", 8*engine.BlockTokens)
	if _, _, err := answer(n.Engine, request(system+"0", 5)); err != nil {
		t.Fatal(err)
	}
	n.stop()
	n = startNode(t, fs, 0, func(c *engine.Config) {
		c.Moves.Fetched = func(string, int64, time.Duration) { fetched.Add(1) }
	})
	defer n.stop()
	var streams []*engine.Stream
	for i := range 4 {
		streams = append(streams, submit(t, n.Engine, request(fmt.Sprint(system, i), 5)))
	}
	for _, stream := range streams {
		if _, result, err := readAll(stream); err != nil || result.Usage.Cached < len(system) {
			t.Errorf("%d tokens were read, %v", result.Usage.Cached, err)
		}
	}
	if got := fetched.Load(); got != 8 {
		t.Errorf("%d blocks were fetched, want 8", got)
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
	if h := n.cache(t).Holdings([]kv.Chain{*n.chain.Load()}); h[1].Blocks != 0 {
		t.Errorf("a disk that hangs holds %d blocks: the test shows nothing", h[1].Blocks)
	}
	close(gate)
	waitFor(t, "all to be durable once the disk goes on", func() bool {
		h := n.cache(t).Holdings([]kv.Chain{*n.chain.Load()})
		return h[1].Tokens == n.chain.Load().Tokens
	})
	n.stop()
}

func TestWhatIsToBeKeptIsGivenUpLast(t *testing.T) {
	n := startNode(t, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	kept := request(strings.Repeat("k", 1000), 10)
	kept.Retain = time.Hour
	if _, _, err := answer(n.Engine, kept); err != nil {
		t.Fatal(err)
	}
	chain := []kv.Chain{*n.chain.Load()}
	if _, _, err := answer(n.Engine, request(strings.Repeat("o", 1000), 10)); err != nil {
		t.Fatal(err)
	}
	if moved, err := n.cache(t).EvictBytes(t.Context(), 4*enginetest.BlockBytes); err != nil || moved.Blocks != 4 {
		t.Errorf("evicted %+v, %v", moved, err)
	}
	if h := n.cache(t).Holdings(chain); h[0].Tokens != chain[0].Tokens {
		t.Errorf("of what is to be kept the pool has %+v", h[0])
	}
	if moved, err := n.cache(t).EvictOlder(t.Context(), time.Hour); err != nil || moved.Blocks != 0 {
		t.Errorf("nothing is an hour old, but %+v were evicted, %v", moved, err)
	}
	if moved := n.cache(t).Trim(); moved.Blocks != 4 || n.Status().PoolResident != 0 {
		t.Errorf("trimmed %+v, %d bytes are resident", moved, n.Status().PoolResident)
	}
}

// A block is deleted while a request that found it is copying it.
func TestABlockMayBeDeletedWhileItIsCopied(t *testing.T) {
	var n *node
	deleted := 0
	n = startNodeOn(t, enginetest.New(enginetest.Config{NoEnd: true, Copying: func() {
		moved, err := n.cache(t).Delete(context.Background(), n.chain.Load().Entries())
		if err != nil {
			t.Error(err)
		}
		deleted += moved.Blocks
	}}), vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	plain, stopPlain := start(t, enginetest.New(enginetest.Config{NoEnd: true}), nil)
	defer stopPlain()
	for _, prompt := range []string{strings.Repeat("d", 300), strings.Repeat("d", 300) + "!"} {
		got, _, err := answer(n.Engine, request(prompt, 20))
		want, _, wantErr := answer(plain, request(prompt, 20))
		if err != nil || wantErr != nil || got != want {
			t.Errorf("%q (%v), an engine without memory says %q (%v)", got, err, want, wantErr)
		}
		n.flush(t)
	}
	if deleted != 2 {
		t.Errorf("%d blocks were deleted, want the full one and the tail", deleted)
	}
}

// What a tier gave up while the pool still has it becomes durable again with its next use.
func TestWhatTheDiskGaveUpIsStoredAgainWhenUsed(t *testing.T) {
	n := startNode(t, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	talk := strings.Repeat("given up ", 100)
	if _, _, err := answer(n.Engine, request(talk, 5)); err != nil {
		t.Fatal(err)
	}
	n.flush(t)
	first := *n.chain.Load()
	for _, e := range first.Entries() {
		if err := n.tier.Remove(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	holdings := func(c kv.Chain) []kv.Holding { return n.cache(t).Holdings([]kv.Chain{c}) }
	if h := holdings(first); h[0].Tokens == 0 || h[1].Tokens != 0 {
		t.Fatalf("given up: %+v", h)
	}
	if _, result, err := answer(n.Engine, request(talk+"!", 5)); err != nil || result.Usage.Cached != len(talk) {
		t.Fatalf("%d tokens were read, %v", result.Usage.Cached, err)
	}
	last := *n.chain.Load()
	waitFor(t, "all of it to be durable again", func() bool { return holdings(last)[1].Tokens == last.Tokens })
}
