package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/modules/actions"
)

// actions are what the server remembers of operators, page by page of that size, the latest first.
func (r *running) actions(t *testing.T, limit int) (all []actions.AdminAction) {
	t.Helper()
	for cursor := ""; ; {
		var page actions.AdminActionPage
		status, text := r.call(t, http.MethodGet, fmt.Sprintf("/admin/actions?limit=%d&cursor=%s", limit, cursor), "operator", "")
		if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		all = append(all, page.Actions...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// What operators do is remembered with the key that they did it by and what came of it; looking at things,
// and what no key was let in for, is not.
func TestWhatOperatorsDoIsRemembered(t *testing.T) {
	r := talkative(t, operated)
	k := r.makeKey(t, `{"scopes":["admin"]}`)
	r.call(t, http.MethodDelete, "/admin/agents/default/no%2Fbody", k.Secret, "")
	r.call(t, http.MethodPost, "/admin/pool/trim", "wrong", "")
	r.call(t, http.MethodGet, "/admin/pool", "operator", "")
	r.revokeKey(t, k.ID)
	r.call(t, http.MethodPost, "/admin/pool/trim", k.Secret, "")
	want := []string{
		"bootstrap-admin DELETE /admin/api-keys/" + k.ID + " 200", k.ID + " DELETE /admin/agents/default/no%2Fbody 404", "bootstrap-admin POST /admin/api-keys 201",
	}
	check := func(r *running) {
		t.Helper()
		for limit := 1; limit < 5; limit++ {
			var got []string
			for _, a := range r.actions(t, limit) {
				got = append(got, fmt.Sprint(a.Key, " ", a.Method, " ", a.Path, " ", a.Status))
				if a.At.IsZero() || a.RequestID == "" {
					t.Errorf("%+v", a)
				}
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("by %d: %q", limit, got)
			}
		}
	}
	check(r)
	r.call(t, http.MethodPost, "/admin/pool/flush", "operator", "{}")
	r.end(t)
	want = append([]string{"bootstrap-admin POST /admin/pool/flush 200"}, want...)
	again := talkative(t, func(c *config.Config) { operated(c); c.Agent.CacheDir = r.cacheDir })
	check(again)
	again.end(t)
	if !strings.Contains(r.log.String(), "admin_action") {
		t.Error("the log has nothing of it")
	}
	if file, err := os.ReadFile(filepath.Join(r.cacheDir, recordsFile)); err != nil || strings.Contains(string(file), k.Secret) {
		t.Errorf("the database has a key, or %v", err)
	}
}
