package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// call sends a request, with a key if one is given, and returns the status and the body.
func (r *running) call(t *testing.T, method, path, key, sent string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	answer := send(t, req)
	if answer.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s has no request id", method, path)
	}
	return answer.StatusCode, body(t, answer)
}

// say asks as an agent.
func (r *running) say(t *testing.T, agent, system, text string) {
	t.Helper()
	r.sayAs(t, map[string]string{"X-Agent-Id": agent}, system, text)
}

// sayAs asks with the headers that name an agent.
func (r *running) sayAs(t *testing.T, headers map[string]string, system, text string) {
	t.Helper()
	raw, _ := json.Marshal(map[string]any{
		"model": "claude-3-5-sonnet-20241022", "max_tokens": 40, "temperature": 0, "system": system,
		"messages": []map[string]string{{"role": "user", "content": text}},
	})
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("X-Api-Key", r.key)
	if answer := send(t, req); answer.StatusCode != http.StatusOK {
		t.Fatal(body(t, answer))
	}
}

// shown is an agent as the server tells it.
type shown struct {
	ID     string `json:"id"`
	Tokens int    `json:"tokens"`
	Retain string `json:"retain_until"`
	Heads  []any  `json:"conversations"`
	Tiers  []struct {
		Tier    string `json:"tier"`
		Blocks  int    `json:"blocks"`
		Tokens  int    `json:"tokens"`
		Durable int    `json:"durable_tokens"`
	} `json:"tiers"`
}

func (r *running) show(t *testing.T, path string) (s shown) {
	t.Helper()
	status, text := r.call(t, http.MethodGet, path, "", "")
	if err := json.Unmarshal([]byte(text), &s); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, text)
	}
	return s
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// durable waits until all of an agent's longest conversation is on disk.
func (r *running) durable(t *testing.T, path string) (s shown) {
	t.Helper()
	eventually(t, path+" to be durable", func() bool {
		s = r.show(t, path)
		return s.Tokens > 0 && s.Tiers[1].Durable == s.Tokens
	})
	return s
}

const mostlyTalk = "a long system prompt "

func talkative(t *testing.T, change func(*config.Config)) *running {
	return launch(t, enginetest.Config{NoEnd: true}, change)
}

func TestAnAgentIsKnownMovedAndDeleted(t *testing.T) {
	r := talkative(t, nil)
	odd := "user/7 ü%"
	at := "/v1/agents/" + url.PathEscape(odd)
	admin := "/admin/agents/default/" + url.PathEscape(odd)
	r.say(t, odd, strings.Repeat(mostlyTalk, 40), "hello")
	before := r.durable(t, at)
	if before.ID != odd || len(before.Heads) != 1 || before.Tiers[0].Tokens != before.Tokens {
		t.Errorf("%+v", before)
	}
	if status, text := r.call(t, http.MethodPost, admin+"/evict", "", `{"to":"disk"}`); status != http.StatusOK || !strings.Contains(text, `"blocks":4`) {
		t.Errorf("evict: %d %s", status, text)
	}
	if s := r.show(t, admin); s.Tiers[0].Blocks != 0 || s.Tiers[1].Durable != before.Tokens {
		t.Errorf("after eviction: %+v", s)
	}
	if status, text := r.call(t, http.MethodPost, at+"/prefetch", "", ""); status != http.StatusOK {
		t.Errorf("prefetch: %d %s", status, text)
	}
	if s := r.show(t, at); s.Tiers[0].Tokens != before.Tokens {
		t.Errorf("after prefetch: %+v", s)
	}
	if status, text := r.call(t, http.MethodPost, admin+"/retain", "", `{"ttl_seconds":60}`); status != http.StatusOK || !strings.Contains(text, "retain_until") {
		t.Errorf("retain: %d %s", status, text)
	}
	r.remove(t, at)
	if status, _ := r.call(t, http.MethodGet, at, "", ""); status != http.StatusNotFound {
		t.Errorf("after deletion: %d", status)
	}
}

// remove deletes an agent and waits until that is done.
func (r *running) remove(t *testing.T, at string) {
	t.Helper()
	status, text := r.call(t, http.MethodDelete, at, "", "")
	var op struct {
		ID string `json:"operation_id"`
	}
	if err := json.Unmarshal([]byte(text), &op); err != nil || status != http.StatusAccepted {
		t.Fatalf("delete: %d %s", status, text)
	}
	eventually(t, "the deletion", func() bool {
		_, text := r.call(t, http.MethodGet, "/v1/agents/operations/"+op.ID, "", "")
		return strings.Contains(text, `"done"`)
	})
}

func TestASharedSystemPromptIsStoredOnceAndOutlivesOneOfTwo(t *testing.T) {
	r := talkative(t, nil)
	system := strings.Repeat("s", 2048)
	r.say(t, "one", system, "first")
	r.say(t, "two", system, "second")
	one, two := r.durable(t, "/v1/agents/one"), r.durable(t, "/v1/agents/two")
	var pool struct {
		Blocks int `json:"blocks"`
		Tiers  []struct {
			Blocks int `json:"blocks"`
		} `json:"tiers"`
	}
	_, text := r.call(t, http.MethodGet, "/admin/pool", "", "")
	if err := json.Unmarshal([]byte(text), &pool); err != nil {
		t.Fatal(err)
	}
	if want := one.Tiers[1].Blocks + two.Tiers[1].Blocks - 8; pool.Blocks != want || pool.Tiers[0].Blocks != want {
		t.Errorf("%d and %d blocks of two agents, of which 8 are shared: %s", one.Tiers[1].Blocks, two.Tiers[1].Blocks, text)
	}
	r.remove(t, "/v1/agents/one")
	if after := r.show(t, "/v1/agents/two"); fmt.Sprint(after) != fmt.Sprint(two) {
		t.Errorf("%+v became %+v", two, after)
	}
	r.remove(t, "/v1/agents/two")
	if _, text := r.call(t, http.MethodGet, "/admin/pool", "", ""); !strings.Contains(text, `"blocks":0,"utilization"`) {
		t.Errorf("blocks are left: %s", text)
	}
}

func TestAgentsAreListedCreatedAndWarmed(t *testing.T) {
	r := talkative(t, nil)
	for i := range 5 {
		body := fmt.Sprintf(`{"id":"agent-%d","system":%q,"ttl_seconds":3600}`, i, strings.Repeat("warm ", 100))
		if status, text := r.call(t, http.MethodPost, "/v1/agents", "", body); status != http.StatusCreated {
			t.Fatalf("%d %s", status, text)
		}
	}
	if s := r.show(t, "/v1/agents/agent-3"); s.Tokens < 499 || s.Tiers[0].Tokens != s.Tokens {
		t.Errorf("%+v", s)
	}
	seen, next := 0, ""
	for {
		var page struct {
			Agents []shown `json:"agents"`
			Next   string  `json:"next_cursor"`
		}
		_, text := r.call(t, http.MethodGet, "/admin/agents?tenant=default&prefix=agent&limit=2&cursor="+next, "", "")
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(err)
		}
		seen += len(page.Agents)
		if next = page.Next; next == "" {
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d agents were listed", seen)
	}
}

// A system prompt that can't be computed is the client's mistake, and leaves neither an agent nor a change of
// one.
func TestAnAgentWhoseSystemPromptNeverFitsIsNotMade(t *testing.T) {
	for name, c := range map[string]struct {
		context int
		mention string
	}{"context": {1000, "prompt is too long: "}, "budget": {1 << 20, "cache budget"}} {
		r := launch(t, enginetest.Config{NoEnd: true, Context: c.context}, nil)
		long := strings.Repeat("x", 300_000)
		for _, id := range []string{"new", "old"} {
			if id == "old" {
				r.call(t, http.MethodPost, "/v1/agents", "", `{"id":"old"}`)
			}
			status, text := r.call(t, http.MethodPost, "/v1/agents", "", fmt.Sprintf(`{"id":%q,"ttl_seconds":5,"system":%q}`, id, long))
			if status != http.StatusBadRequest || !strings.Contains(text, c.mention) {
				t.Errorf("%s: %d %s", name, status, text)
			}
		}
		if status, _ := r.call(t, http.MethodGet, "/v1/agents/new", "", ""); status != http.StatusNotFound {
			t.Errorf("%s: the agent is there: %d", name, status)
		}
		if _, text := r.call(t, http.MethodGet, "/v1/agents/old", "", ""); strings.Contains(text, "ttl_seconds") {
			t.Errorf("%s: the agent was changed: %s", name, text)
		}
	}
}

func TestBadRequestsAboutAgentsAreRefused(t *testing.T) {
	r := talkative(t, nil)
	r.say(t, "known", "", "hello")
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/v1/agents/none", "", 404},
		{"DELETE", "/v1/agents/none", "", 404},
		{"POST", "/v1/agents/none/prefetch", "", 404},
		{"POST", "/v1/agents", `{"id":""}`, 422},
		{"POST", "/v1/agents", `{"id":"a\nb"}`, 400},
		{"POST", "/v1/agents", fmt.Sprintf(`{"id":%q}`, strings.Repeat("x", 257)), 400},
		{"POST", "/v1/agents", `{`, 400},
		{"POST", "/v1/agents", `{"id":"a","ttl_seconds":-1}`, 422},
		{"POST", "/v1/agents", `{"id":"."}`, 400},
		{"POST", "/v1/agents", `{"id":".."}`, 400},
		{"POST", "/v1/agents", `{"ID":"a"}`, 400},
		{"POST", "/v1/agents", `{"id":"a","id":"b"}`, 400},
		{"POST", "/v1/agents", `{"id":"x\ud800"}`, 400},
		{"POST", "/v1/agents", "{\"id\":\"x\xff\"}", 400},
		{"GET", "/v1/agents?cursor=!", "", 400},
		{"GET", "/v1/agents?limit=0", "", 422},
		{"GET", "/admin/agents?used_before=yesterday", "", 422},
		{"POST", "/admin/agents/default/known/evict", `{"to":"object"}`, 409},
		{"POST", "/admin/agents/other/known/evict", `{}`, 404},
		{"POST", "/admin/pool/evict", `{}`, 400},
		{"POST", "/admin/pool/evict", `{"bytes":1,"older_than_seconds":1}`, 400},
		{"GET", "/v1/agents/operations/op_none", "", 404},
	} {
		if status, text := r.call(t, c.method, c.path, "", c.body); status != c.want || !strings.Contains(text, "detail") {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, status, text, c.want)
		}
	}
}

func TestOnlyTheAdminKeyOpensAdmin(t *testing.T) {
	r := talkative(t, func(c *config.Config) { c.APIKeys, c.AdminKey = []string{"user"}, "operator" })
	for key, want := range map[string]int{"": 401, "user": 403, "operator": 200, "wrong": 401} {
		if status, text := r.call(t, http.MethodGet, "/admin/pool", key, ""); status != want {
			t.Errorf("key %q: %d %s", key, status, text)
		}
	}
	if status, _ := r.call(t, http.MethodGet, "/v1/agents", "operator", ""); status != http.StatusForbidden {
		t.Errorf("the admin key is taken as a user's: %d", status)
	}
	without := talkative(t, func(c *config.Config) { c.APIKeys = []string{"user"} })
	if status, text := without.call(t, http.MethodGet, "/admin/pool", "user", ""); status != http.StatusForbidden || !strings.Contains(text, "SEMANTIC_ADMIN_KEY") {
		t.Errorf("without an admin key: %d %s", status, text)
	}
}

func TestMemorySurvivesARestartInAMovedFolder(t *testing.T) {
	first := filepath.Join(t.TempDir(), "first")
	r := talkative(t, func(c *config.Config) { c.Agent.CacheDir = first })
	r.say(t, "a", "", strings.Repeat("remember ", 100))
	want := r.durable(t, "/v1/agents/a")
	r.leave()
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second")
	if err := os.Rename(first, second); err != nil {
		t.Fatal(err)
	}
	r = talkative(t, func(c *config.Config) { c.Agent.CacheDir = second })
	got := r.durable(t, "/v1/agents/a")
	if got.Tokens != want.Tokens || got.Tiers[0].Blocks != 0 {
		t.Errorf("%+v, before %+v", got, want)
	}
	if status, text := r.call(t, http.MethodPost, "/v1/agents/a/prefetch", "", ""); status != http.StatusOK || r.show(t, "/v1/agents/a").Tiers[0].Tokens != want.Tokens {
		t.Errorf("prefetch: %d %s", status, text)
	}
}

func TestAgentsBeyondTheMostAreEvicted(t *testing.T) {
	r := talkative(t, func(c *config.Config) { c.Agent.MaxAgentsInMemory = 2 })
	for i := range 4 {
		r.say(t, fmt.Sprint("agent", i), "", strings.Repeat(fmt.Sprint(i), 300))
	}
	eventually(t, "the first to leave the pool", func() bool {
		s := r.show(t, "/v1/agents/agent0")
		return s.Tiers[0].Blocks == 0 && s.Tiers[1].Durable == s.Tokens
	})
	if s := r.show(t, "/v1/agents/agent3"); s.Tiers[0].Tokens != s.Tokens {
		t.Errorf("the last has left it: %+v", s)
	}
	if text := body(t, r.get(t, "/metrics")); !strings.Contains(text, "semantic_agents_active 2") || !strings.Contains(text, `semantic_eviction_total{reason="evict",tier="pool"}`) {
		t.Error("the metrics don't tell")
	}
}

func TestAFolderThatCannotBeWrittenOnlyDegrades(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := talkative(t, func(c *config.Config) { c.Agent.CacheDir = filepath.Join(file, "below") })
	r.say(t, "a", "", "hello")
	if status := r.get(t, "/health/ready").StatusCode; status != http.StatusOK {
		t.Errorf("ready: %d", status)
	}
	if _, text := r.call(t, http.MethodGet, "/admin/pool", "", ""); !strings.Contains(text, `"degraded"`) {
		t.Error(text)
	}
	if s := r.show(t, "/v1/agents/a"); s.Tokens == 0 {
		t.Errorf("the record is not in memory: %+v", s)
	}
	for method, path := range map[string]string{http.MethodGet: "/v1/agents", http.MethodPost: "/v1/agents", http.MethodDelete: "/v1/agents/a"} {
		status, text := r.call(t, method, path, "", map[string]string{http.MethodPost: `{"id":"b"}`}[method])
		if status != http.StatusServiceUnavailable || strings.Contains(text, dir) || strings.Contains(strings.ToLower(text), "sql") {
			t.Errorf("%s %s: %d %s", method, path, status, text)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.durable(t, "/v1/agents/a")
	eventually(t, "the record to be written", func() bool {
		_, text := r.call(t, http.MethodGet, "/v1/agents", "", "")
		return strings.Contains(text, `"id":"a"`)
	})
}

// Two agents begin with the same system prompt, whose end fills no block. One goes on and outgrows that end,
// and is deleted: the other still has it, and what only the first needed is gone.
func TestATailThatTwoShareOutlivesTheOneThatOutgrewIt(t *testing.T) {
	r := talkative(t, nil)
	system := strings.Repeat("shared ", 100)
	for _, id := range []string{"one", "two"} {
		if status, text := r.call(t, http.MethodPost, "/v1/agents", "", fmt.Sprintf(`{"id":%q,"system":%q}`, id, system)); status != http.StatusCreated {
			t.Fatalf("%d %s", status, text)
		}
	}
	before := r.durable(t, "/v1/agents/one")
	r.say(t, "two", system, "hello")
	r.durable(t, "/v1/agents/two")
	r.remove(t, "/v1/agents/two")
	if after := r.durable(t, "/v1/agents/one"); after.Tokens != before.Tokens || after.Tiers[1].Blocks != before.Tiers[1].Blocks {
		t.Errorf("%+v became %+v", before, after)
	}
	r.remove(t, "/v1/agents/one")
	if _, text := r.call(t, http.MethodGet, "/admin/pool", "", ""); !strings.Contains(text, `"tier":"disk","state":"healthy","indexing":false,"blocks":0`) {
		t.Errorf("blocks are left: %s", text)
	}
}
