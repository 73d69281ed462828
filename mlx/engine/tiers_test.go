package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

func TestAConversationIsReadAfterARestart(t *testing.T) {
	fs, talk := vfs.NewMem(vfs.MemConfig{}), &talk{text: strings.Repeat("once upon a time ", 40)}
	steady, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), remember(0))
	defer stop()
	for turn := range 6 {
		n := startNode(t, fs, 0, nil)
		before := len(talk.text)
		talk.say(" go on")
		text, result, err := answer(n.Engine, talk.request(70))
		if err != nil {
			t.Fatal(err)
		}
		if turn > 0 && result.Usage.Cached < before-1 {
			t.Errorf("turn %d: %d of %d tokens were read", turn, result.Usage.Cached, before)
		}
		if want, _, _ := answer(steady, talk.request(70)); want != text {
			t.Errorf("turn %d: %q, an engine that was never restarted says %q", turn, text, want)
		}
		talk.hear(text)
		n.stop()
	}
}

func TestAnEvictedConversationComesBackFromTheDisk(t *testing.T) {
	n := startNode(t, vfs.NewMem(vfs.MemConfig{}), 0, nil)
	defer n.stop()
	talk := &talk{text: strings.Repeat("evicted ", 200)}
	text, _, err := answer(n.Engine, talk.request(40))
	if err != nil {
		t.Fatal(err)
	}
	moved, err := n.cache(t).Evict(t.Context(), []kv.Chain{*n.chain.Load()}, "")
	if err != nil || moved.Blocks != 7 {
		t.Errorf("evicted %+v, %v", moved, err)
	}
	holdings := n.cache(t).Holdings(t.Context(), []kv.Chain{*n.chain.Load()})
	if holdings[0].Blocks != 0 || holdings[1].Tokens != len(talk.text)+39 {
		t.Errorf("after eviction: %+v", holdings)
	}
	talk.hear(text)
	talk.say("?")
	if _, result, err := answer(n.Engine, talk.request(5)); err != nil || result.Usage.Cached != len(talk.text)-2 {
		t.Errorf("%d of %d tokens were read, %v", result.Usage.Cached, len(talk.text), err)
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
	if _, err := c.Evict(t.Context(), chains, ""); err != nil {
		t.Fatal(err)
	}
	if moved, err := c.Prefetch(t.Context(), tenant, chains); err != nil || moved.Blocks != 5 {
		t.Errorf("prefetched %+v, %v", moved, err)
	}
	if h := c.Holdings(t.Context(), chains); h[0].Tokens != 1039 || n.Status().PoolUtilization != 0 {
		t.Errorf("after prefetch: %+v", h)
	}
	c.Pin(chains, time.Now().Add(time.Hour))
	if moved, err := c.Delete(t.Context(), chains[0].Refs()); err != nil || moved.Blocks != 5 {
		t.Errorf("deleted %+v, %v", moved, err)
	}
	for _, h := range c.Holdings(t.Context(), chains) {
		if h.Blocks != 0 {
			t.Errorf("after deletion: %+v", h)
		}
	}
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
		c.Moves.Fetched = func(cache.Transfer) { fetched.Add(1) }
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
	if h := n.cache(t).Holdings(t.Context(), chain); h[0].Tokens != chain[0].Tokens {
		t.Errorf("of what is to be kept the pool has %+v", h[0])
	}
	if moved, err := n.cache(t).EvictOlder(t.Context(), time.Hour); err != nil || moved.Blocks != 0 {
		t.Errorf("nothing is an hour old, but %+v were evicted, %v", moved, err)
	}
	if moved := n.cache(t).Trim(t.Context()); moved.Blocks != 4 || n.Status().PoolResident != 0 {
		t.Errorf("trimmed %+v, %d bytes are resident", moved, n.Status().PoolResident)
	}
}

// A block is deleted while a request that found it is copying it.
func TestABlockMayBeDeletedWhileItIsCopied(t *testing.T) {
	var n *node
	deleted := 0
	n = startNodeOn(t, enginetest.New(enginetest.Config{NoEnd: true, Copying: func() {
		moved, err := n.cache(t).Delete(context.Background(), n.chain.Load().Refs())
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
	for _, e := range first.Refs() {
		if err := n.tier.Delete(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	holdings := func(c kv.Chain) []kv.Holding { return n.cache(t).Holdings(t.Context(), []kv.Chain{c}) }
	if h := holdings(first); h[0].Tokens == 0 || h[1].Tokens != 0 {
		t.Fatalf("given up: %+v", h)
	}
	if _, result, err := answer(n.Engine, request(talk+"!", 5)); err != nil || result.Usage.Cached != len(talk) {
		t.Fatalf("%d tokens were read, %v", result.Usage.Cached, err)
	}
	last := *n.chain.Load()
	waitFor(t, "all of it to be durable again", func() bool { return holdings(last)[1].Tokens == last.Tokens })
}
