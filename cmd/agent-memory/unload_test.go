package main

import (
	"net/http"
	"strings"
	"testing"
)

// A model that an operator unloads leaves a node that isn't ready and says why; loaded again, it finds its agents.
func TestAnOperatorUnloadsTheModel(t *testing.T) {
	r := swappable(t)
	long := strings.Repeat("history ", 100)
	r.asked(t, "a", long)
	r.durable(t, "/v1/agents/a")
	if status, text := r.call(t, http.MethodPost, "/admin/models/unload", "", `{"id":"two"}`); status != http.StatusConflict || !strings.Contains(text, "one is") {
		t.Errorf("of another model: %d %s", status, text)
	}
	if printed, err := r.command(t, "models", "unload"); err != nil || !strings.Contains(printed, "models load one") {
		t.Fatalf("%v %s", err, printed)
	}
	for _, refused := range []struct{ method, path, body, words string }{
		{http.MethodPost, "/v1/messages", question, "an operator unloaded it"},
		{http.MethodPost, "/v1/chat/completions", `{"model":"claude-x","messages":[{"role":"user","content":"hi"}]}`, "an operator unloaded it"},
		{http.MethodGet, "/v1/models", "", "an operator unloaded it"},
		{http.MethodGet, "/health/ready", "", "an operator unloaded it"},
		{http.MethodPost, "/v1/agents/a/prefetch", "{}", "an operator unloaded it"},
	} {
		if status, text := r.call(t, refused.method, refused.path, "", refused.body); status != http.StatusServiceUnavailable || !strings.Contains(text, refused.words) {
			t.Errorf("%s %s: %d %s", refused.method, refused.path, status, text)
		}
	}
	answer := r.ask(t, question)
	if answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d without retry-after", answer.StatusCode)
	}
	if status, text := r.call(t, http.MethodPost, "/admin/models/unload", "", ""); status != http.StatusConflict || !strings.Contains(text, "nothing to unload") {
		t.Errorf("a second time: %d %s", status, text)
	}
	if printed, err := r.command(t, "models", "current"); err != nil || !strings.Contains(printed, "unloaded") {
		t.Errorf("%v %s", err, printed)
	}
	if status, text := r.call(t, http.MethodGet, "/v1/agents/a", "", ""); status != http.StatusOK {
		t.Errorf("the agent: %d %s", status, text)
	}
	if printed, err := r.command(t, "models", "load", "one"); err != nil {
		t.Fatalf("%v %s", err, printed)
	}
	if said, read := r.asked(t, "a", long); said != "I am one." || read != len(long) {
		t.Errorf("%q, %d of %d tokens read", said, read, len(long)+1)
	}
	r.awaitReadiness(t, "")
}

// A server that ends without a model ends in order, and one behind it begins with the model of its settings.
func TestAServerEndsWithoutItsModel(t *testing.T) {
	r := swappable(t)
	if status, text := r.call(t, http.MethodPost, "/admin/models/unload", "", ""); status != http.StatusOK || !strings.Contains(text, `"name":"one"`) {
		t.Fatalf("%d %s", status, text)
	}
	r.end(t)
}
