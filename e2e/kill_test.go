package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

// kills is how often the server is killed; `make soak` sets more.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("AGENT_MEMORY_KILLS")); err == nil {
		return n
	}
	if len(raceFlag()) > 0 {
		return 3 // the same, slowly
	}
	return 8
}

// known is an agent as the server tells it.
type known struct {
	Tokens        int   `json:"tokens"`
	Conversations []any `json:"conversations"`
	Tiers         []struct {
		Blocks  int `json:"blocks"`
		Durable int `json:"durable_tokens"`
	} `json:"tiers"`
}

// agent asks for an agent. It reports false if the server does not know it or is gone.
func (s *server) agent(ctx context.Context, id string) (a known, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/agents/"+id, nil)
	if err != nil {
		return a, false
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, false
	}
	defer response.Body.Close()
	return a, response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(&a) == nil && len(a.Tiers) > 1
}

// saidTo asks as an agent at temperature 0 and returns the answer's text, and false if the server went away.
func (s *server) saidTo(ctx context.Context, agent, prompt string) (string, bool) {
	body, _ := json.Marshal(map[string]any{
		"model": "claude-3-5-sonnet-20241022", "max_tokens": 8, "temperature": 0,
		"messages": []said{{"user", prompt}, {"assistant", "Here is the list:\n\n1."}},
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return "", false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Agent-Id", agent)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", false
	}
	defer response.Body.Close()
	var answer reply
	if json.NewDecoder(response.Body).Decode(&answer) != nil || response.StatusCode != http.StatusOK || len(answer.Content) == 0 {
		return "", false
	}
	return answer.Content[0].Text, true
}

// prompt is a text of some hundred tokens that nobody else has.
func prompt(round, worker, turn int) string {
	return fmt.Sprintf("Round %d, speaker %d, turn %d. %s", round, worker, turn, strings.Repeat(fmt.Sprintf("word %d and ", worker), 60+20*turn))
}

// Killed at random moments under load, again and again: what was acknowledged as durable is there and whole,
// nothing is left over, and every answer is that of a server that remembers nothing of it.
func TestKilledAtRandomMomentsNothingAcknowledgedIsLost(t *testing.T) {
	dir := t.TempDir()
	settings := []string{"SEMANTIC_AGENT_CACHE_DIR=" + dir, "SEMANTIC_SERVER_AUDIT=0"} // fresh is the audit
	fresh := start(t, settings[1])
	s := start(t, settings...)
	began := time.Now()
	if _, ok := fresh.saidTo(limited(t), "first", prompt(0, 0, 0)); !ok {
		t.Fatal("the first prompt was not answered")
	}
	answering := time.Since(began) // on this machine, in this build
	acknowledged := map[string]int{}
	for round := range kills() {
		asked := s.load(t, round, time.Duration(rand.Int64N(int64(3*answering))), acknowledged)
		_ = s.process.Kill()
		<-s.ended
		s = start(t, settings...)
		s.await(t, "indexed", func() bool { return s.metric(t, `semantic_tier_healthy{tier="disk"}`) == "1" && !s.indexing(t) })
		checkFiles(t, dir)
		for agent, tokens := range acknowledged {
			if a, ok := s.agent(limited(t), agent); !ok || a.Tiers[1].Durable < tokens {
				t.Fatalf("round %d: %s had %d durable tokens, after the kill it has %+v", round, agent, tokens, a)
			}
		}
		for agent, prompt := range asked {
			got, ok := s.saidTo(limited(t), agent, prompt)
			want, okToo := fresh.saidTo(limited(t), agent, prompt)
			if !ok || !okToo || got != want {
				t.Fatalf("round %d: %q, a server without that memory says %q", round, got, want)
			}
		}
	}
	t.Logf("%d kills, %d agents with acknowledged tokens", kills(), len(acknowledged))
	if len(acknowledged) == 0 {
		t.Error("nothing was ever acknowledged: the test shows nothing")
	}
}

// load has some agents talk for so long, in every second round counted from when the server first said that
// something is durable. It notes what is, and returns the last prompt of each agent.
func (s *server) load(t *testing.T, round int, long time.Duration, acknowledged map[string]int) map[string]string {
	ctx, cancel := context.WithCancel(limited(t))
	defer cancel()
	var timed sync.Once
	end := func() { timed.Do(func() { time.AfterFunc(long, cancel) }) }
	if round%2 == 0 {
		end()
	}
	asked := map[string]string{}
	var mu sync.Mutex
	var workers sync.WaitGroup
	for worker := range 3 {
		workers.Go(func() {
			agent := fmt.Sprintf("agent-%d-%d", round, worker)
			for turn := 0; ctx.Err() == nil; turn++ {
				text := prompt(round, worker, turn)
				mu.Lock()
				asked[agent] = text
				mu.Unlock()
				s.saidTo(ctx, agent, text)
				if a, ok := s.agent(ctx, agent); ok {
					mu.Lock()
					acknowledged[agent] = max(acknowledged[agent], a.Tiers[1].Durable)
					mu.Unlock()
					if a.Tiers[1].Durable > 0 {
						end()
					}
				}
			}
		})
	}
	workers.Wait()
	for agent, tokens := range acknowledged {
		if tokens == 0 {
			delete(acknowledged, agent)
		}
	}
	return asked
}

// indexing tells whether the disk is still being counted.
func (s *server) indexing(t *testing.T) bool {
	t.Helper()
	response, err := http.Get(s.url + "/admin/pool")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var pool struct {
		Tiers []struct {
			Indexing bool `json:"indexing"`
		} `json:"tiers"`
	}
	if err := json.NewDecoder(response.Body).Decode(&pool); err != nil || len(pool.Tiers) != 1 {
		t.Fatalf("%+v, %v", pool, err)
	}
	return pool.Tiers[0].Indexing
}

// checkFiles verifies every block file and that no temp file and nothing damaged is left.
func checkFiles(t *testing.T, dir string) {
	t.Helper()
	for _, below := range []string{"tmp", "quarantine"} {
		if left, _ := os.ReadDir(filepath.Join(dir, "blocks", below)); len(left) > 0 {
			t.Fatalf("%d files are left in %s", len(left), below)
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "blocks", "v1"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return checkFile(path)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkFile verifies a block file as far as that needs no secret.
func checkFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header, err := blockfile.ReadHeader(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for i, layer := range header.Layers {
		if whole, err := header.Whole(f, layer); err != nil || !whole {
			return fmt.Errorf("%s: layer %d is damaged, %v", path, i, err)
		}
	}
	return nil
}

func TestAnAnswerIsDurableSoon(t *testing.T) {
	s := start(t)
	if _, ok := s.saidTo(limited(t), "me", prompt(0, 0, 9)); !ok {
		t.Fatal("no answer")
	}
	s.await(t, "durable", func() bool {
		a, ok := s.agent(limited(t), "me")
		return ok && a.Tokens > 0 && a.Tiers[1].Durable >= a.Tokens
	})
}

// A conversation of several turns is one head of its agent, and leaves no outgrown tail on disk.
func TestAConversationLeavesNoOutgrownTail(t *testing.T) {
	s := start(t)
	turns := []said{{"user", "Tell me about the sea, in a few words."}}
	for range 4 {
		answer := s.talkAs(t, "me", turns)
		turns = append(turns, said{"assistant", answer.Content[0].Text}, said{"user", "Go on."})
	}
	s.await(t, "one head and no other block", func() bool {
		a, ok := s.agent(limited(t), "me")
		return ok && len(a.Conversations) == 1 && a.Tiers[1].Durable == a.Tokens &&
			s.metric(t, `semantic_tier_blocks{tier="disk"}`) == strconv.Itoa(a.Tiers[1].Blocks)
	})
}

// A deletion that was answered is carried out, whenever the server is killed.
func TestAKilledServerCarriesItsDeletionsOut(t *testing.T) {
	setting := "SEMANTIC_AGENT_CACHE_DIR=" + t.TempDir()
	s := start(t, setting)
	for round := range 3 {
		agent := fmt.Sprint("doomed-", round)
		if _, ok := s.saidTo(limited(t), agent, prompt(round, 0, 30)); !ok {
			t.Fatal("no answer")
		}
		s.await(t, "durable", func() bool {
			a, ok := s.agent(limited(t), agent)
			return ok && a.Tokens > 0 && a.Tiers[1].Durable >= a.Tokens
		})
		operation := s.remove(t, agent)
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		_ = s.process.Kill()
		<-s.ended
		s = start(t, setting)
		s.await(t, "carried out", func() bool { return s.isDone(t, operation) })
		if _, ok := s.agent(limited(t), agent); ok {
			t.Errorf("%s is still known", agent)
		}
		s.await(t, "no block on disk", func() bool { return !s.indexing(t) && s.metric(t, `semantic_tier_blocks{tier="disk"}`) == "0" })
	}
}

// remove has an agent deleted and returns the operation's id.
func (s *server) remove(t *testing.T, agent string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(limited(t), http.MethodDelete, s.url+"/v1/agents/"+agent, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var op struct {
		ID string `json:"operation_id"`
	}
	if err := json.NewDecoder(response.Body).Decode(&op); err != nil || response.StatusCode != http.StatusAccepted || op.ID == "" {
		t.Fatalf("delete: %s, %+v, %v", response.Status, op, err)
	}
	return op.ID
}

func (s *server) isDone(t *testing.T, operation string) bool {
	t.Helper()
	response, err := http.Get(s.url + "/v1/agents/operations/" + operation)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var op struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(response.Body).Decode(&op); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", response.Status, err)
	}
	return op.Status == "done"
}
