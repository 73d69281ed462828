package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// gated is a server whose model stops at each call once the gate is shut.
type gated struct {
	*running
	mu      sync.Mutex
	gate    chan struct{}
	entered chan struct{}
	asked   sync.WaitGroup
}

func launchGated(t *testing.T, slots int) *gated {
	return launchGatedWith(t, func(c *config.Config) { c.MLX.MaxBatchSize = slots })
}

func launchGatedWith(t *testing.T, change func(*config.Config)) *gated {
	g := &gated{entered: make(chan struct{}, 1000)}
	g.running = launch(t, enginetest.Config{NoEnd: true, Before: func(enginetest.Call) error {
		g.mu.Lock()
		gate := g.gate
		g.mu.Unlock()
		if gate != nil {
			g.entered <- struct{}{}
			<-gate
		}
		return nil
	}}, change)
	return g
}

func (g *gated) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gate = make(chan struct{})
}

func (g *gated) step() { g.gate <- struct{}{} }

func (g *gated) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.gate)
	g.gate = nil
}

// removeBetweenSteps deletes an agent while requests run: a deletion waits for the step under way.
func (g *gated) removeBetweenSteps(t *testing.T, at string) {
	t.Helper()
	deleted := make(chan struct{})
	go func() { defer close(deleted); g.remove(t, at) }()
	for {
		select {
		case <-deleted:
			return
		case <-time.After(5 * time.Millisecond):
			g.step()
			<-g.entered
		}
	}
}

// begin asks in the background.
func (g *gated) begin(t *testing.T, agent, text string) {
	raw, _ := json.Marshal(map[string]any{
		"model": "claude-3-5-sonnet-20241022", "max_tokens": 1000, "temperature": 0,
		"messages": []map[string]string{{"role": "user", "content": text}},
	})
	g.asked.Go(func() {
		req, _ := http.NewRequest(http.MethodPost, g.url+"/v1/messages", strings.NewReader(string(raw)))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Agent-Id", agent)
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s is answered %d", agent, answer.StatusCode)
		}
	})
}

// files counts the blocks on disk.
func (r *running) files(t *testing.T) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(r.cacheDir, blocksDir, "v1"), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wantNothing checks that nothing of the agent is left, now and after a restart.
func (g *gated) wantNothing(t *testing.T, agent string) {
	t.Helper()
	if status, text := g.call(t, http.MethodGet, "/v1/agents/"+agent, "", ""); status != http.StatusNotFound {
		t.Errorf("the agent is back: %d %s", status, text)
	}
	eventually(t, "an empty pool and disk", func() bool {
		_, text := g.call(t, http.MethodGet, "/admin/pool", "", "")
		return strings.Contains(text, `"blocks":0,"utilization"`) && g.files(t) == 0
	})
	g.leave()
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
	if n := g.files(t); n != 0 {
		t.Errorf("%d blocks are on disk after the end", n)
	}
	again := talkative(t, func(c *config.Config) { c.Agent.CacheDir = g.cacheDir })
	if status, text := again.call(t, http.MethodGet, "/v1/agents/"+agent, "", ""); status != http.StatusNotFound {
		t.Errorf("the agent is back after a restart: %d %s", status, text)
	}
}

// An agent is deleted while its request runs, at every step from the first on: it is answered, and nothing
// comes back.
func TestADeletionCoversWhatIsRunning(t *testing.T) {
	for _, known := range []bool{false, true} {
		for _, steps := range []int{0, 1, 5, 9, 20} {
			t.Run(fmt.Sprintf("known %v, after %d steps", known, steps), func(t *testing.T) {
				g := launchGated(t, 2)
				text := strings.Repeat("secret of an agent ", 30)
				if known {
					g.say(t, "a", "", text)
					g.durable(t, "/v1/agents/a")
					text += "and more, and more, and more " + strings.Repeat("more ", 60)
				}
				g.shut()
				g.begin(t, "a", text)
				<-g.entered
				for range steps {
					g.step()
					<-g.entered
				}
				g.removeBetweenSteps(t, "/v1/agents/a")
				g.open()
				g.asked.Wait()
				g.wantNothing(t, "a")
			})
		}
	}
}

// A request in the queue is covered; one that comes after the deletion is not.
func TestADeletionCoversWhatIsQueuedAndNotWhatComesAfter(t *testing.T) {
	g := launchGated(t, 1)
	g.shut()
	g.begin(t, "other", strings.Repeat("other ", 60))
	<-g.entered
	g.begin(t, "a", strings.Repeat("queued ", 60))
	eventually(t, "a queue", func() bool { return strings.Contains(body(t, g.get(t, "/metrics")), "semantic_queue_depth 1") })
	g.removeBetweenSteps(t, "/v1/agents/a")
	g.open()
	g.asked.Wait()
	if status, _ := g.call(t, http.MethodGet, "/v1/agents/a", "", ""); status != http.StatusNotFound {
		t.Errorf("the agent is back: %d", status)
	}
	g.durable(t, "/v1/agents/other")
	g.say(t, "a", "", "a new beginning")
	if s := g.durable(t, "/v1/agents/a"); s.Tokens == 0 || len(s.Heads) != 1 {
		t.Errorf("%+v", s)
	}
	g.remove(t, "/v1/agents/other")
	g.remove(t, "/v1/agents/a")
	g.wantNothing(t, "a")
}
