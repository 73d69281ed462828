package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

// consoleFiles are what the operators' page is made of.
var consoleFiles = map[string]string{
	"/admin/ui": "text/html", "/admin/ui/app.js": "text/javascript", "/admin/ui/app.css": "text/css", "/admin/ui/icon.svg": "image/svg+xml",
}

// The page itself is for everybody, since it holds nothing; what it asks for needs the key. Its headers keep other pages from
// framing it, and any script but its own from running in it.
func TestTheConsoleIsServedAndProtected(t *testing.T) {
	r := talkative(t, operated)
	for path, contentType := range consoleFiles {
		answer := r.get(t, path)
		text := body(t, answer)
		if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), contentType) || len(text) < 100 {
			t.Errorf("%s: %d %v", path, answer.StatusCode, answer.Header)
		}
		csp := answer.Header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(csp, directive) {
				t.Errorf("%s lacks %s: %s", path, directive, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || answer.Header.Get("X-Frame-Options") != "DENY" || answer.Header.Get("X-Content-Type-Options") != "nosniff" ||
			answer.Header.Get("Set-Cookie") != "" || answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, answer.Header)
		}
		if strings.Contains(text, "<script>") || strings.Contains(text, " style=\"") && contentType == "text/html" {
			t.Errorf("%s has a script or style in line", path)
		}
	}
	for path, status := range map[string]int{
		"/admin/pool": http.StatusUnauthorized, "/admin/uiandmore": http.StatusUnauthorized, "/admin/requests": http.StatusUnauthorized,
		"/admin/ui/../pool": http.StatusUnauthorized, "/admin/ui/%2e%2e/pool": http.StatusNotFound,
		"/admin/ui%2f..%2fpool": http.StatusNotFound, "/admin%2fui/../pool": http.StatusNotFound,
	} {
		if answer := r.get(t, path); answer.StatusCode != status {
			t.Errorf("%s without a key: %d, not %d", path, answer.StatusCode, status)
		}
	}
	if status, _ := r.call(t, http.MethodGet, "/admin/ui/none", "", ""); status != http.StatusNotFound {
		t.Errorf("a file that is not there: %d", status)
	}
}

// Without keys a page of another origin, or one by another name of this machine (DNS rebinding), can ask for nothing and change
// nothing; the console's own origin can.
func TestAKeylessServerAnswersItsOwnConsoleOnly(t *testing.T) {
	r := talkative(t, nil)
	for _, c := range []struct {
		host, origin string
		status       int
	}{
		{"", "", http.StatusOK},
		{"", r.url, http.StatusOK},
		{"", "https://elsewhere.example", http.StatusForbidden},
		{"", "null", http.StatusForbidden},
		{"elsewhere.example", "", http.StatusForbidden},
		{"elsewhere.example", "http://elsewhere.example", http.StatusForbidden},
	} {
		for method, path := range map[string]string{http.MethodPost: "/admin/pool/flush", http.MethodGet: "/admin/pool"} {
			req, err := http.NewRequest(method, r.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				req.Host = c.host
			}
			if c.origin != "" {
				req.Header.Set("Origin", c.origin)
			}
			if answer := send(t, req); answer.StatusCode != c.status || answer.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s for host %q, origin %q: %d", method, path, c.host, c.origin, answer.StatusCode)
			}
		}
	}
}

// An agent's blocks are listed in the order of its conversation, each with the tiers that have it, before and after an eviction.
func TestAnAgentsBlocksAreListedInOrder(t *testing.T) {
	r := talkative(t, nil)
	r.say(t, "a", "", strings.Repeat("hello ", 200))
	r.durable(t, "/v1/agents/a")
	blocks := func() client.ConversationBlocks {
		var list client.AgentBlocks
		status, text := r.call(t, http.MethodGet, "/admin/agents/default/a/blocks", "", "")
		if err := json.Unmarshal([]byte(text), &list); err != nil || status != http.StatusOK || len(list.Conversations) != 1 {
			t.Fatalf("%d %s", status, text)
		}
		return list.Conversations[0]
	}
	before := blocks()
	end := int64(0)
	for _, b := range before.Blocks {
		if b.FromToken != end || b.ToToken <= end || strings.Join(b.Tiers, " ") != "pool disk" {
			t.Errorf("%+v behind %d", b, end)
		}
		end = b.ToToken
	}
	if end != before.Tokens || len(before.Blocks) < 3 || before.Blocks[len(before.Blocks)-1].Block != before.Head {
		t.Errorf("%+v", before)
	}
	if status, text := r.call(t, http.MethodPost, "/admin/agents/default/a/evict", "", `{}`); status != http.StatusOK {
		t.Fatal(text)
	}
	for _, b := range blocks().Blocks {
		if strings.Join(b.Tiers, " ") != "disk" {
			t.Errorf("after the eviction %+v", b)
		}
	}
	if status, _ := r.call(t, http.MethodGet, "/admin/agents/default/none/blocks", "", ""); status != http.StatusNotFound {
		t.Errorf("of an agent that is not there: %d", status)
	}
}

// A request is listed while it is answered, with how far it got, and not afterwards. What it says is not in the list.
func TestRequestsInFlightAreListed(t *testing.T) {
	r := talkative(t, func(c *config.Config) { operated(c); c.MLX.CacheBudgetMB = 8; c.MLX.MaxBatchSize = 1 })
	key := r.makeKey(t, `{"tenant":"ours"}`).Secret
	r.key = key
	first, second := r.ask(t, streamed(strings.Replace(question, "200", "100000", 1))), make(chan *http.Response, 1)
	go func() { second <- r.ask(t, streamed(question)) }()
	list := func() (listed client.RequestsUnderWay) {
		status, text := r.call(t, http.MethodGet, "/admin/requests", "operator", "")
		if err := json.Unmarshal([]byte(text), &listed); err != nil || status != http.StatusOK || strings.Contains(text, "capital") {
			t.Fatalf("%d %s", status, text)
		}
		return listed
	}
	eventually(t, "two requests in flight", func() bool { return list().Total == 2 && list().Requests[0].GeneratedTokens > 0 })
	listed := list()
	runs, waits := listed.Requests[0], listed.Requests[1]
	if runs.State != client.Decode || runs.Tenant != "ours" || runs.RequestId != first.Header.Get("X-Request-Id") || runs.PromptTokens == 0 ||
		runs.ComputedTokens < runs.PromptTokens || time.Duration(runs.AgeSeconds*float64(time.Second)) <= 0 {
		t.Errorf("%+v", runs)
	}
	if waits.State != client.Queued || waits.GeneratedTokens != 0 {
		t.Errorf("%+v", waits)
	}
	_ = first.Body.Close()
	_ = body(t, <-second)
	eventually(t, "no request in flight", func() bool { return list().Total == 0 })
}
