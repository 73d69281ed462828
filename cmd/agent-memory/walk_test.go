package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// route is an operation of the OpenAPI document.
type route struct {
	method, path string
	guarded      bool // the document says that it needs a key
}

// routes are all operations of the document that the server serves.
func (r *running) routes(t *testing.T) (all []route) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct{ Security []any }
	}
	if err := json.Unmarshal([]byte(body(t, r.get(t, "/openapi.json"))), &document); err != nil {
		t.Fatal(err)
	}
	for path, operations := range document.Paths {
		for method, operation := range operations {
			all = append(all, route{strings.ToUpper(method), path, len(operation.Security) > 0})
		}
	}
	if len(all) < 25 {
		t.Fatalf("the document has %d operations only", len(all))
	}
	return all
}

// scope is the one that the contract asks for on a path, empty for what anybody may see.
func (w route) scope() string {
	switch {
	case strings.HasPrefix(w.path, "/admin"):
		return "admin"
	case strings.HasPrefix(w.path, "/v1/agents"):
		return "agents"
	case strings.HasPrefix(w.path, "/v1/"):
		return "messages"
	}
	return ""
}

// envelope is what an error on the path has.
func (w route) envelope(status int) string {
	switch {
	case w.scope() != "messages":
		return fmt.Sprintf(`"status":%d`, status)
	case strings.HasPrefix(w.path, "/v1/messages"):
		return map[int]string{401: `"type":"authentication_error"`, 403: `"type":"permission_error"`}[status]
	}
	return `"error":{`
}

// fill puts names into the path's places.
func (w route) fill(names map[string]string) string {
	path := w.path
	for place, name := range names {
		path = strings.ReplaceAll(path, "{"+place+"}", name)
	}
	return path
}

// Every operation that the document has is refused without a key, with a wrong one, with one that ended and
// with one that lacks the scope, in the form of errors of its path; and none is that needs no key.
func TestNoRouteIsOpen(t *testing.T) {
	r := talkative(t, func(c *config.Config) { operated(c); c.APIKeys = []string{"settings"} })
	ended := r.makeKey(t, `{"scopes":["messages","agents","admin"]}`)
	r.revokeKey(t, ended.ID)
	scoped := map[string]string{}
	for _, scope := range []string{"messages", "agents", "admin"} {
		scoped[scope] = r.makeKey(t, `{"scopes":["`+scope+`"]}`).Secret
	}
	names := map[string]string{"id": "none", "tenant": "none", "operation": "none", "profile": "heap"}
	for _, at := range r.routes(t) {
		scope, path := at.scope(), at.fill(names)
		if strings.Contains(path, "{") {
			t.Fatalf("%s has a place that this test does not know", path)
		}
		if at.guarded != (scope != "") {
			t.Errorf("%s %s: the document says that it needs a key: %v", at.method, path, at.guarded)
		}
		for key, holder := range map[string]string{"": "none", "wrong": "a wrong key", ended.Secret: "a revoked key"} {
			status, text := r.call(t, at.method, path, key, "{}")
			if refused := status == http.StatusUnauthorized; refused != (scope != "") || refused && !strings.Contains(text, at.envelope(status)) {
				t.Errorf("%s %s with %s: %d %s", at.method, path, holder, status, text)
			}
		}
		for has, key := range scoped {
			status, text := r.call(t, at.method, path, key, "{}")
			if refused := status == http.StatusForbidden; refused != (scope != "" && scope != has) || refused && !strings.Contains(text, at.envelope(status)) {
				t.Errorf("%s %s with the scope %s: %d %s", at.method, path, has, status, text)
			}
		}
	}
}

// operationOf reads the id of a deletion that was taken.
func operationOf(t *testing.T, answer string) string {
	t.Helper()
	_, rest, found := strings.Cut(answer, `"operation_id":"`)
	operation, _, _ := strings.Cut(rest, `"`)
	if !found {
		t.Fatal(answer)
	}
	return operation
}

// With another tenant's key no operation finds a tenant's agents or what became of them, nor changes them.
func TestNoRouteReachesAnotherTenant(t *testing.T) {
	r := talkative(t, operated)
	ours := r.makeKey(t, `{"tenant":"ours"}`)
	theirs := r.makeKey(t, `{"tenant":"theirs"}`)
	r.key = ours.Secret
	r.say(t, "agent", "", "hello")
	r.say(t, "goes", "", "hello")
	_, text := r.call(t, http.MethodDelete, "/v1/agents/goes", ours.Secret, "")
	names := map[string]string{"id": "agent", "operation": operationOf(t, text)}
	for _, at := range r.routes(t) {
		if at.scope() != "agents" || !strings.Contains(at.path, "{") {
			continue
		}
		if status, text := r.call(t, at.method, at.fill(names), theirs.Secret, ""); status != http.StatusNotFound {
			t.Errorf("%s %s: %d %s", at.method, at.path, status, text)
		}
	}
	if _, text := r.call(t, http.MethodGet, "/v1/agents", theirs.Secret, ""); !strings.Contains(text, `"agents":[]`) {
		t.Errorf("their list: %s", text)
	}
	if status, text := r.call(t, http.MethodPost, "/v1/agents", theirs.Secret, `{"id":"agent"}`); status != http.StatusCreated {
		t.Errorf("the same name is taken for them: %d %s", status, text)
	}
	if status, _ := r.call(t, http.MethodDelete, "/v1/agents/agent", theirs.Secret, ""); status != http.StatusAccepted {
		t.Errorf("their own agent: %d", status)
	}
	if status, text := r.call(t, http.MethodGet, "/v1/agents/agent", ours.Secret, ""); status != http.StatusOK || strings.Count(text, `"head"`) != 1 {
		t.Errorf("our agent is not what it was: %d %s", status, text)
	}
}

// cached is how much of a prompt an answer read from a cache.
func (r *running) cached(t *testing.T, key, agent, prompt string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(fmt.Sprintf(
		`{"model":"claude-3-5-sonnet-20241022","max_tokens":4,"temperature":0,"messages":[{"role":"user","content":%q}]}`, prompt)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Agent-Id", agent)
	var answer struct {
		Usage struct {
			Read int `json:"cache_read_input_tokens"`
		} `json:"usage"`
	}
	raw := body(t, send(t, req))
	if err := json.Unmarshal([]byte(raw), &answer); err != nil || !strings.Contains(raw, "usage") {
		t.Fatal(raw)
	}
	return answer.Usage.Read
}

// The same prompt, in the name of the same agent, is computed for each tenant: what one has cached the other
// can't tell by its usage. Keys of one tenant share.
func TestATenantsCacheIsItsOwn(t *testing.T) {
	r := talkative(t, operated)
	one, again := r.makeKey(t, `{"tenant":"one"}`), r.makeKey(t, `{"tenant":"one"}`)
	two := r.makeKey(t, `{"tenant":"two"}`)
	prompt := strings.Repeat("a secret of tenant one ", 40)
	if n := r.cached(t, one.Secret, "a", prompt); n != 0 {
		t.Errorf("at first %d tokens are cached", n)
	}
	if n := r.cached(t, two.Secret, "a", prompt); n != 0 {
		t.Errorf("the other tenant reads %d tokens", n)
	}
	for _, key := range []string{one.Secret, again.Secret, two.Secret} {
		if n := r.cached(t, key, "a", prompt); n < 500 {
			t.Errorf("asked again only %d tokens are cached", n)
		}
	}
	if n := r.cached(t, two.Secret, "a", prompt[:500]+" and on"); n < 256 {
		t.Errorf("a prompt that begins so reads %d tokens", n)
	}
}
