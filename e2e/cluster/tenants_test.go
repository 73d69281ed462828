//go:build e2e

package cluster

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/openapi/client"
)

// makeKey has a node make a key for a tenant.
func (n *node) makeKey(tenant string) *client.NewAPIKey {
	n.t.Helper()
	answer, err := n.api(adminKey).AdminCreateApiKeyWithResponse(n.t.Context(), client.WantedAPIKey{Tenant: &tenant})
	if err != nil || answer.JSON201 == nil {
		n.t.Fatalf("make a key: %+v, %v", answer, err)
	}
	return answer.JSON201
}

// Tenants say what another tenant said before, word by word, at both nodes: it is computed anew, as if nobody had ever
// said it, and they can neither see nor delete the other's agent. How long the answers take is told, beside those to new
// words and to the owner.
func TestTenantsShareNothing(t *testing.T) {
	c := newCluster(t)
	settings := map[string]string{"SEMANTIC_SERVER_AUDIT": "0"} // audits would run beside what is timed
	a, b := c.start("a", settings), c.start("b", settings)
	first := talk(t, "diary", 80)
	first.key = a.makeKey("owner").Key
	first.ask(a)
	first.awaitDurable(a)

	took := map[string][]time.Duration{}
	say := func(what, key, words string, n *node) usage {
		said := talk(t, words, 80)
		said.key, said.agent, said.tokens = key, "", 1
		u := said.ask(n)
		took[what] = append(took[what], said.last)
		return u
	}
	for _, n := range []*node{a, b} {
		restores := n.metric("semantic_tier_restores_total")
		for i := range 3 {
			stranger := n.makeKey(fmt.Sprintf("stranger-%s-%d", n.name, i)).Key
			if u := say("a stranger's same words", stranger, "diary", n); u.Read != 0 {
				t.Errorf("node %s: a stranger read %d tokens", n.name, u.Read)
			}
			say("a stranger's new words", stranger, fmt.Sprintf("day %s %d", n.name, i), n)
			for _, method := range []string{http.MethodGet, http.MethodDelete} {
				if status := n.call(stranger, method, "/v1/agents/diary", nil, nil, nil); status != http.StatusNotFound {
					t.Errorf("node %s: a stranger's %s of the agent: status %d", n.name, method, status)
				}
			}
		}
		if n.metric("semantic_tier_restores_total") != restores {
			t.Errorf("node %s brought something back from a tier for a stranger", n.name)
		}
		if u := say("the owner's words", first.key, "diary", n); 10*u.Read < 9*u.prompt() {
			t.Errorf("node %s: the owner read %d of %d tokens", n.name, u.Read, u.prompt())
		}
	}
	for what, times := range took {
		slices.Sort(times)
		t.Logf("%s: median %v of %v", what, times[len(times)/2], times)
	}
}

// A key that one node revoked is refused by the other.
func TestARevokedKeyIsRefusedEverywhere(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("a", nil), c.start("b", nil)
	k := a.makeKey("leaver")
	said := talk(t, "leaver", 5)
	said.key = k.Key
	said.ask(a)
	said.ask(b)
	if status := a.call(adminKey, http.MethodDelete, "/admin/api-keys/"+k.Id, nil, nil, nil); status != http.StatusOK {
		t.Fatalf("revoke: status %d", status)
	}
	within(t, "refused by the other node", func() bool {
		return b.call(k.Key, http.MethodGet, "/v1/agents", nil, nil, nil) == http.StatusUnauthorized
	})
	if _, err := said.try(b); err == nil {
		t.Error("a revoked key was answered")
	}
}

// salts counts the bucket's blocks under each tenant's salt.
func (c *cluster) salts() map[string]int {
	counts := map[string]int{}
	for _, name := range c.objects() {
		if parts := strings.Split(name, "/"); len(parts) == 5 {
			counts[parts[2]]++
		}
	}
	return counts
}

// All of a tenant is deleted through one node while the other answers it and stores what it computes: nothing of it is
// left in the bucket, its keys are refused everywhere, and another tenant finds all that it had at both nodes.
func TestATenantIsDeletedEverywhere(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("a", nil), c.start("b", nil)
	leaver, resident := talk(t, "leaver", 60), talk(t, "resident", 60)
	leaver.key, resident.key = a.makeKey("leaver").Key, a.makeKey("resident").Key
	unnamed := talk(t, "passer-by", 60)
	unnamed.key, unnamed.agent = leaver.key, ""
	for _, said := range []*conversation{leaver, resident} {
		said.ask(a)
		said.awaitDurable(a)
		said.ask(b)
		said.awaitDurable(b)
	}
	unnamed.ask(b)
	talking := make(chan struct{})
	go func() {
		defer close(talking)
		_, _ = leaver.tryUnlogged(a)
	}()
	within(t, "busy", func() bool { return a.metric("semantic_slots_busy_ratio") > 0 || isClosed(talking) })
	deleted, err := b.api(adminKey).AdminDeleteTenantWithResponse(t.Context(), "leaver")
	if err != nil || deleted.JSON202 == nil || deleted.JSON202.KeysRevoked != 1 {
		t.Fatalf("%+v, %v", deleted, err)
	}
	<-talking
	b.awaitDeletion(deleted.JSON202.OperationId)
	time.Sleep(2 * time.Second) // what was on its way would have arrived
	if salts := c.salts(); len(salts) != 1 {
		t.Errorf("blocks in the bucket by their salts: %v", salts)
	}
	for _, n := range []*node{a, b} {
		within(t, "refused", func() bool {
			return n.call(leaver.key, http.MethodGet, "/v1/agents", nil, nil, nil) == http.StatusUnauthorized
		})
		if used := resident.ask(n); 10*used.Read < 9*used.prompt() {
			t.Errorf("node %s: the resident read %d of %d tokens", n.name, used.Read, used.prompt())
		}
	}
	again := talk(t, "leaver", 60)
	again.key = a.makeKey("leaver").Key
	if used := again.ask(a); used.Read != 0 {
		t.Errorf("%d tokens were read of what was deleted", used.Read)
	}
}
