//go:build postgres

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/platform/database/pgtest"
)

// An operator asks one node to evict and to prefetch an agent that lives on another: the other does so, and a
// node that never had the agent takes none of it into its pool.
func TestCommandsReachTheNodeThatHasTheAgent(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two, third := talkative(t, sharing(database, "")), talkative(t, sharing(database, "")), talkative(t, sharing(database, ""))
	two.say(t, "a", "", strings.Repeat("said to two ", 60))
	before := two.durable(t, "/v1/agents/a")
	if before.Tiers[0].Blocks == 0 {
		t.Fatalf("the pool has nothing of the agent: %+v", before)
	}
	awaitNodes(t, database, 3)
	status, answer := one.call(t, http.MethodPost, "/admin/agents/default/a/evict", "", `{"to":"disk"}`)
	if status != http.StatusOK || !strings.Contains(answer, `"other_nodes":2`) {
		t.Fatalf("evict: %d %s", status, answer)
	}
	eventually(t, "the other node's pool to be without the agent", func() bool { return two.show(t, "/v1/agents/a").Tiers[0].Blocks == 0 })

	status, answer = one.call(t, http.MethodPost, "/v1/agents/a/prefetch", "", "")
	if status != http.StatusOK || !strings.Contains(answer, `"other_nodes":2`) {
		t.Fatalf("prefetch: %d %s", status, answer)
	}
	eventually(t, "the agent in the pool of the node that has it on disk", func() bool {
		return two.show(t, "/v1/agents/a").Tiers[0].Tokens == before.Tokens
	})
	eventually(t, "no command to be left", func() bool { return count(t, database, `SELECT count(*) FROM node_commands`) == 0 })
	if n := third.show(t, "/v1/agents/a").Tiers[0].Blocks; n != 0 {
		t.Errorf("a node that never had the agent has %d of its blocks", n)
	}
}

// A node hears of commands without being told, by looking at every beat.
func TestCommandsAreFoundByLooking(t *testing.T) {
	server := pgtest.Start(t)
	database := server.Database()
	one, two := talkative(t, sharing(database, "")), talkative(t, sharing(database, ""))
	two.say(t, "a", "", strings.Repeat("said to two ", 60))
	two.durable(t, "/v1/agents/a")
	awaitNodes(t, database, 2)
	// Who inserts the row by hand notifies nobody.
	server.Exec(database, `INSERT INTO node_commands (node, kind, tenant, agent, tier, until, created)
		SELECT id, 'evict', 'default', 'a', '', 0, now() FROM nodes`)
	eventually(t, "the agent to be evicted", func() bool { return two.show(t, "/v1/agents/a").Tiers[0].Blocks == 0 })
	one.isReady(t)
}

// A retention given to one node holds on the other, too: of two agents the one used longest ago stays in its pool.
func TestARetentionReachesOtherNodes(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := talkative(t, sharing(database, "")), talkative(t, sharing(database, ""))
	for _, agent := range []string{"kept", "later", "last"} {
		two.say(t, agent, "", strings.Repeat("the words of "+agent+" ", 60))
		two.durable(t, "/v1/agents/"+agent)
	}
	awaitNodes(t, database, 2)
	if status, answer := one.call(t, http.MethodPost, "/admin/agents/default/kept/retain", "", `{"ttl_seconds":3600}`); status != http.StatusOK {
		t.Fatalf("retain: %d %s", status, answer)
	}
	if status, answer := one.call(t, http.MethodPost, "/admin/agents/default/last/evict", "", `{}`); status != http.StatusOK {
		t.Fatalf("evict: %d %s", status, answer)
	}
	// Commands are carried out in their order, so the retention holds when the eviction after it is done.
	eventually(t, "the last agent to be evicted", func() bool { return two.show(t, "/v1/agents/last").Tiers[0].Blocks == 0 })
	eventually(t, "the later agent to be evicted", func() bool {
		if status, answer := two.call(t, http.MethodPost, "/admin/pool/evict", "", `{"bytes":1}`); status != http.StatusOK {
			t.Fatalf("evict: %d %s", status, answer)
		}
		return two.show(t, "/v1/agents/later").Tiers[0].Blocks == 0
	})
	if two.show(t, "/v1/agents/kept").Tiers[0].Blocks == 0 {
		t.Error("the retained agent was evicted")
	}
}

// awaitNodes waits until so many nodes have told the database that they live.
func awaitNodes(t *testing.T, database string, n int) {
	t.Helper()
	eventually(t, "the nodes to be known", func() bool {
		return count(t, database, `SELECT count(*) FROM nodes`) == n
	})
}
