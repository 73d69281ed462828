//go:build cgo

package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/arch"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/mlx/kv/disk"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// node is an engine on a tiny model over a disk, until stop.
type node struct {
	*engine.Engine
	mu    sync.Mutex
	last  map[string]kv.Chain // by request
	moves struct{ fetched, preempted int }
	stop  func()
}

// endless is a model whose answers never end by themselves.
type endless struct{ Model }

func (e endless) Spec() engine.Spec {
	spec := e.Model.Spec()
	spec.StopTokens = nil
	return spec
}

func startNode(t *testing.T, path, dir, isa string, blocks int64, chunk int) *node {
	t.Helper()
	n := &node{last: map[string]kv.Chain{}}
	tier, err := disk.Open(disk.Config{FS: vfs.OS{}, Dir: dir, Budget: 1 << 30, Header: blockfile.ReadEntry})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = tier.Run(ctx) })
	if err := tier.WaitIndexed(ctx); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	var blockBytes int64
	open := func(func(string, float64)) (engine.Model, error) {
		defer close(ready)
		w, err := weights.Open(path)
		if err != nil {
			return nil, err
		}
		defer w.Close()
		digest, err := weights.Digest(path)
		if err != nil {
			return nil, err
		}
		m, err := Open(Config{Weights: w, Device: "cpu", Dtype: "auto", ISA: isa, Threads: 2, Digest: digest})
		return endless{m}, err
	}
	c := weightstestConfig(t, path)
	blockBytes = 2 * int64(headsOf(c).BlockElements(len(c.Layers)))
	cfg := engine.Config{
		Open: open, Budget: blocks * blockBytes, MaxBatch: 3, MaxQueue: 100, ChunkTokens: chunk,
		Tenant: func(name string) *kv.Tenant { return kv.NewTenant([]byte("cluster"), name) }, Tiers: []kv.Tier{tier},
		Margin: time.Minute, Patience: time.Minute, MostUnsaved: 1, // a slow machine must not change what is read
	}
	cfg.Listener.Finished = func(f engine.Finished) { n.mu.Lock(); n.last[f.ID] = f.Chain; n.mu.Unlock() }
	cfg.Listener.Preempted = func() { n.mu.Lock(); n.moves.preempted++; n.mu.Unlock() }
	if n.Engine, err = engine.New(cfg); err != nil {
		t.Fatal(err)
	}
	running.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	<-ready
	for !n.Status().Started {
	}
	n.stop = func() {
		cancel()
		running.Wait()
		if err := tier.Close(); err != nil {
			t.Error(err)
		}
	}
	return n
}

func weightstestConfig(t *testing.T, path string) arch.Config {
	t.Helper()
	w, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.Config
}

// numbers spells every token as its number, so that answers are known when they come back.
type numbers struct{}

func (numbers) Push(token int32) string           { return fmt.Sprintf("%08x", token) }
func (numbers) Flush() string                     { return "" }
func (n numbers) Text(token int32) (string, bool) { return n.Push(token), true }
func (numbers) Beginnings(text string) []int32 {
	token, err := strconv.ParseInt(text[:min(8, len(text))], 16, 32)
	if err != nil {
		return nil
	}
	return []int32{int32(token)}
}

// conversation is what was said, and which of it were answers.
type conversation struct {
	tokens  []int32
	answers []prefix.Span
}

// ask returns the greedy tokens that go on with the conversation.
func (n *node) ask(t *testing.T, id string, c conversation, most int) engine.Result {
	t.Helper()
	stream, err := n.Submit(context.Background(), engine.Request{
		ID: id, Tokens: c.tokens, Answers: c.answers, MaxTokens: most, Spelling: numbers{},
		NewDecoder: func() engine.TextDecoder { return numbers{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := stream.Next(context.Background()); errors.Is(err, io.EOF) {
			return stream.Result()
		} else if err != nil {
			t.Error(err)
			return engine.Result{}
		}
	}
}

const turns = 4

// turn continues a conversation, whose answers grow longer and end across block borders.
func (n *node) turn(t *testing.T, seed, turn int32, c conversation) conversation {
	c.tokens = append(c.tokens, tinyTokens(150, 10*seed+turn)...)
	result := n.ask(t, name(seed), c, 100+120*int(turn))
	if want := len(c.tokens) - 151; turn > 0 && result.Usage.Cached < want {
		t.Errorf("turn %d read %d of %d", turn, result.Usage.Cached, want)
	}
	from := len(c.tokens)
	c.tokens = append(c.tokens, result.Tokens...)
	c.answers = append(c.answers, prefix.Span{From: from, To: len(c.tokens)})
	return c
}

func name(seed int32) string { return string(rune('a' + seed)) }

// talk has a conversation of several turns and does something after each.
func talk(t *testing.T, n **node, seed int32, after func()) []int32 {
	t.Helper()
	var c conversation
	for turn := range int32(turns) {
		c = (*n).turn(t, seed, turn, c)
		after()
	}
	return c.tokens
}

// blocksShort is a block less than the conversations need at once.
func blocksShort(talks [][]int32) int64 {
	blocks := -1
	for _, tokens := range talks {
		blocks += (len(tokens) + engine.BlockTokens - 1) / engine.BlockTokens
	}
	return int64(blocks)
}

// crowd has conversations go on at once and compares them with what they are. It returns how often one was
// preempted.
func crowd(t *testing.T, n *node, want [][]int32) int {
	t.Helper()
	defer n.stop()
	got := make([]conversation, len(want))
	for turn := range int32(turns) {
		var talks sync.WaitGroup
		for i := range got {
			talks.Go(func() { got[i] = n.turn(t, int32(i+1), turn, got[i]) })
		}
		talks.Wait()
	}
	for i := range want {
		if !slices.Equal(got[i].tokens, want[i]) {
			t.Errorf("conversation %d: %v, uninterrupted %v", i, got[i].tokens, want[i])
		}
	}
	return n.moves.preempted
}

func TestAnInterruptedConversationGivesTheSameTokens(t *testing.T) {
	everyModel(t, func(t *testing.T, tiny weightstest.Tiny, isa string) {
		path := weightstest.Write(t, tiny)
		n := startNode(t, path, t.TempDir(), isa, 100, 512)
		want := [][]int32{talk(t, &n, 1, func() {}), talk(t, &n, 2, func() {}), talk(t, &n, 3, func() {})}
		n.stop()

		t.Run("restarted", func(t *testing.T) {
			dir, chunk := t.TempDir(), 512
			n := startNode(t, path, dir, isa, 100, chunk)
			got := talk(t, &n, 1, func() {
				n.stop()
				chunk = chunk/3 + 7 // the numbers don't depend on it
				n = startNode(t, path, dir, isa, 100, chunk)
			})
			n.stop()
			if !slices.Equal(got, want[0]) {
				t.Errorf("%v, uninterrupted %v", got, want[0])
			}
		})
		t.Run("evicted", func(t *testing.T) {
			n := startNode(t, path, t.TempDir(), isa, 100, 512)
			defer n.stop()
			got := talk(t, &n, 1, func() {
				c, err := n.Cache()
				if err != nil {
					t.Fatal(err)
				}
				if moved, err := c.Evict(t.Context(), []kv.Chain{n.last["b"]}, ""); err != nil || moved.Blocks == 0 {
					t.Fatalf("evicted %+v, %v", moved, err)
				}
			})
			if !slices.Equal(got, want[0]) {
				t.Errorf("%v, uninterrupted %v", got, want[0])
			}
		})
		t.Run("preempted", func(t *testing.T) {
			for blocks := blocksShort(want); ; blocks-- { // when they meet depends on the machine
				preempted := crowd(t, startNode(t, path, t.TempDir(), isa, blocks, 64), want)
				if preempted > 0 {
					break
				}
				if blocks < blocksShort(want)/2 {
					t.Fatal("nothing was preempted: the test shows nothing")
				}
			}
		})
	})
}
