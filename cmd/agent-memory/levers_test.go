package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

// Without a disk there is no tier to evict to, and the answer says so; nothing leaves the pool.
func TestEvictingToATierThatIsNotThereIsRefused(t *testing.T) {
	r := talkative(t, func(c *config.Config) { c.Agent.CacheDir = "" })
	r.say(t, "a", "", strings.Repeat("hello ", 100))
	for _, to := range []string{"disk", "object"} {
		status, text := r.call(t, http.MethodPost, "/admin/agents/default/a/evict", "", fmt.Sprintf(`{"to":%q}`, to))
		if status != http.StatusConflict || !strings.Contains(text, "no tier "+to+"; it has pool") {
			t.Errorf("%d %s", status, text)
		}
	}
	if s := r.show(t, "/v1/agents/a"); s.Tiers[0].Tokens != s.Tokens {
		t.Errorf("%+v", s)
	}
}

// Trimming gives back what the disk has and what was allocated ahead, and nothing is allocated ahead again
// before the next request.
func TestTrimmingLeavesNothingInThePool(t *testing.T) {
	r := talkative(t, nil)
	r.say(t, "a", "", strings.Repeat("hello ", 100))
	r.durable(t, "/v1/agents/a")
	resident := func() (bytes int64) {
		var page struct {
			Resident int64 `json:"resident_bytes"`
		}
		_, text := r.call(t, http.MethodGet, "/admin/pool", "", "")
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(err)
		}
		return page.Resident
	}
	before := resident()
	status, text := r.call(t, http.MethodPost, "/admin/pool/trim", "", "")
	var moved client.Moved
	if err := json.Unmarshal([]byte(text), &moved); err != nil || status != http.StatusOK || moved.Bytes != before || before == 0 {
		t.Errorf("trimmed %+v of %d bytes: %d %v", moved, before, status, err)
	}
	r.get(t, "/health/live")
	if left := resident(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
	r.say(t, "a", "", strings.Repeat("hello ", 100))
	eventually(t, "blocks ahead", func() bool { return resident() > moved.Bytes/2 })
}
