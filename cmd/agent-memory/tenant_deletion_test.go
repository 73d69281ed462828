package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	agentsapi "github.com/agent-memory/agent-memory/modules/agents/api"
)

// salted counts the blocks on disk under each tenant's salt.
func (r *running) salted(t *testing.T) map[string]int {
	t.Helper()
	root, counts := filepath.Join(r.cacheDir, blocksDir, "v1"), map[string]int{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			rel, _ := filepath.Rel(root, path)
			counts[strings.Split(rel, string(filepath.Separator))[1]]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// All of a tenant goes by one call: its keys, its agents, and its blocks, those of no agent included. Another tenant
// notices nothing, and a new tenant of the same name begins with nothing.
func TestATenantIsDeletedWithAllThatItHas(t *testing.T) {
	r := talkative(t, operated)
	gone, stays := r.makeKey(t, `{"tenant":"gone"}`), r.makeKey(t, `{"tenant":"stays"}`)
	second := r.makeKey(t, `{"tenant":"gone","name":"another"}`)
	long := strings.Repeat("what was said in confidence ", 40)
	for _, key := range []string{gone.Secret, stays.Secret} {
		for _, agent := range []string{"first", "second", ""} {
			r.cached(t, key, agent, agent+long)
		}
		if n := r.cached(t, key, "", long); n == 0 {
			t.Fatal("not as the test wants it: nothing is cached")
		}
	}
	eventually(t, "both tenants' blocks on disk", func() bool { return len(r.salted(t)) == 2 })

	status, text := r.call(t, http.MethodDelete, "/admin/agents/gone", "operator", "")
	var deleted agentsapi.TenantDeletion
	if err := json.Unmarshal([]byte(text), &deleted); err != nil || status != http.StatusAccepted || deleted.Keys != 2 {
		t.Fatalf("%d %s, %v", status, text, err)
	}
	eventually(t, "the deletion's end", func() bool {
		_, text := r.call(t, http.MethodGet, "/admin/agents/operations/"+deleted.ID, "operator", "")
		return strings.Contains(text, `"done"`)
	})
	if counts := r.salted(t); len(counts) != 1 {
		t.Errorf("blocks on disk by their salts: %v", counts)
	}
	for _, key := range []string{gone.Secret, second.Secret} {
		r.wantAnswer(t, key, http.StatusUnauthorized)
	}
	if _, text := r.call(t, http.MethodGet, "/admin/agents", "operator", ""); strings.Contains(text, `"gone"`) || strings.Count(text, `"stays"`) != 2 {
		t.Errorf("agents that are left: %s", text)
	}
	if n := r.cached(t, stays.Secret, "", long); n == 0 {
		t.Error("another tenant's memory is gone")
	}
	again := r.makeKey(t, `{"tenant":"gone"}`)
	for _, agent := range []string{"first", ""} {
		if n := r.cached(t, again.Secret, agent, agent+long); n != 0 {
			t.Errorf("%d tokens were read of what was deleted", n)
		}
	}
	if n := r.cached(t, again.Secret, "", long); n == 0 {
		t.Error("a new tenant of that name keeps nothing")
	}
}

// A name that can't be a tenant's is refused, and who is no operator deletes nobody.
func TestWhoAndWhatADeletionOfATenantIsFor(t *testing.T) {
	r := talkative(t, operated)
	user := r.makeKey(t, `{"tenant":"a"}`)
	if status, text := r.call(t, http.MethodDelete, "/admin/agents/a", user.Secret, ""); status != http.StatusForbidden {
		t.Errorf("%d %s", status, text)
	}
	if status, text := r.call(t, http.MethodDelete, "/admin/agents/%00", "operator", ""); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, text)
	}
	r.wantAnswer(t, user.Secret, http.StatusOK)
}

// The command asks for a confirmation, and tells what it did.
func TestTheCommandDeletesATenant(t *testing.T) {
	t.Setenv("SEMANTIC_ADMIN_KEY", "operator")
	r := talkative(t, operated)
	k := r.makeKey(t, `{"tenant":"gone"}`)
	r.key = k.Secret
	r.cached(t, k.Secret, "a", strings.Repeat("words ", 200))
	eventually(t, "blocks on disk", func() bool { return len(r.salted(t)) > 0 })
	if _, err := r.command(t, "tenants", "delete", "gone"); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("without --yes: %v", err)
	}
	r.wantAnswer(t, k.Secret, http.StatusOK)
	out, err := r.command(t, "tenants", "delete", "gone", "--yes", "--json")
	if err != nil || !strings.Contains(out, `"keys_revoked": 1`) || strings.Contains(out, `"blocks": 0`) {
		t.Errorf("%s, %v", out, err)
	}
	if n := len(r.salted(t)); n != 0 {
		t.Errorf("%d salts have blocks", n)
	}
}
