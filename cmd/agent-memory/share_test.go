package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// inPool is how much of an agent's longest conversation the pool has, and how long that is.
func (r *running) inPool(t *testing.T, key, agent string) (held, all int) {
	t.Helper()
	var s shown
	status, text := r.call(t, http.MethodGet, "/v1/agents/"+agent, key, "")
	if err := json.Unmarshal([]byte(text), &s); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	return s.Tiers[0].Tokens, s.Tokens
}

// A tenant that fills the pool takes nothing of another that has less than its share.
func TestATenantThatFillsThePoolKeepsToItsShare(t *testing.T) {
	for percent, kept := range map[int]bool{60: true, 100: false} {
		r := talkative(t, func(c *config.Config) { operated(c); c.MLX.TenantPercent = percent })
		small, large := r.makeKey(t, `{"tenant":"small"}`).Secret, r.makeKey(t, `{"tenant":"large"}`).Secret
		r.key = small
		r.say(t, "a", "", strings.Repeat("the few words of the small tenant ", 30))
		r.key = large
		for i := range 10 { // more than the pool holds
			r.say(t, fmt.Sprint("b", i), "", strings.Repeat(fmt.Sprint(i, " words "), 5000))
		}
		if held, all := r.inPool(t, small, "a"); (held == all) != kept {
			t.Errorf("with %d percent %d of %d tokens are left of the small tenant's", percent, held, all)
		}
		r.end(t)
	}
}
