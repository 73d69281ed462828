//go:build e2e

package cluster

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/openapi/client"
	"github.com/jackc/pgx/v5"
)

// sql runs statements as the database's owner, on a database of the server.
func (c *cluster) sql(database string, statements ...string) {
	c.t.Helper()
	db, err := pgx.Connect(c.t.Context(), fmt.Sprintf("postgres://postgres:%s@%s/%s?sslmode=disable", secretKey, c.postgres, database))
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close(c.t.Context())
	for _, statement := range statements {
		if _, err := db.Exec(c.t.Context(), statement); err != nil {
			c.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// end has a node end in order and waits until it has.
func (n *node) end() {
	n.t.Helper()
	n.signal("TERM")
	n.awaitEnd()
}

func (n *node) awaitEnd() {
	n.t.Helper()
	within(n.t, "ended", func() bool {
		state, err := n.container.State(n.t.Context())
		return err == nil && !state.Running
	})
}

// keep has an agent outlive the node's TTL.
func (c *conversation) keep(n *node) {
	c.t.Helper()
	body := map[string]any{"id": c.agent, "ttl_seconds": 1e6}
	if status := n.call(c.key, http.MethodPost, "/v1/agents", nil, body, nil); status != http.StatusCreated {
		c.t.Fatalf("create agent %q: status %d", c.agent, status)
	}
}

// shortLived are the settings of a node that forgets and collects within a minute what nobody keeps.
func shortLived() map[string]string { return map[string]string{"SEMANTIC_AGENT_TTL": "40s"} }

// A database that is set back by an hour, or lost, makes the bucket's blocks nobody's: none is removed, all
// are found, and the agents own them again with their next turn.
func TestABucketOutlivesItsDatabase(t *testing.T) {
	for name, setBack := range map[string]func(*cluster){
		"set back": func(c *cluster) {
			c.sql("postgres", "DROP DATABASE agents", "CREATE DATABASE agents TEMPLATE earlier")
		},
		"lost": func(c *cluster) { c.sql("postgres", "DROP DATABASE agents", "CREATE DATABASE agents") },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			folder := c.newVolume()
			a := c.startOn(folder, "a", shortLived())
			early := talk(t, "early", 40)
			early.keep(a)
			early.ask(a)
			early.awaitDurable(a)
			a.end()
			c.sql("postgres", "CREATE DATABASE earlier TEMPLATE agents")
			a = c.startOn(folder, "a", shortLived())
			late := talk(t, "late", 100)
			late.keep(a)
			late.ask(a)
			late.awaitDurable(a)
			a.end()
			setBack(c)
			before := len(c.objects())

			a = c.startOn(folder, "a after the loss", shortLived()) // which knows the secret
			within(t, "stopped", func() bool { return strings.Contains(a.log(), "collection_stopped") })
			if !strings.Contains(a.log(), "tenth") {
				t.Error("the collection stopped for another reason")
			}
			a.end() // agents that its database forgot have its short TTL
			b := c.start("b", nil)
			for _, agent := range []*conversation{early, late} {
				if used := agent.ask(b); 10*used.Read < 8*used.prompt() {
					t.Errorf("%s: %d of %d tokens were read", agent.agent, used.Read, used.prompt())
				}
				agent.awaitDurable(b)
			}
			if after := len(c.objects()); after < before {
				t.Errorf("%d objects are left of %d", after, before)
			}
		})
	}
}

// An operator who knows that the lost database's agents don't come back has their blocks removed from the bucket.
func TestAnOperatorEmptiesTheBucketOfALostDatabase(t *testing.T) {
	c := newCluster(t)
	folder := c.newVolume()
	a := c.startOn(folder, "a", shortLived())
	agent := talk(t, "forgotten", 60)
	agent.keep(a)
	agent.ask(a)
	agent.awaitDurable(a)
	a.end()
	c.sql("postgres", "DROP DATABASE agents", "CREATE DATABASE agents")
	a = c.startOn(folder, "a after the loss", shortLived())
	within(t, "stopped", func() bool { return strings.Contains(a.log(), "collection_stopped") })
	collect := func(order client.CollectionOrder) *client.AdminCollectResponse {
		answer, err := a.api(adminKey).AdminCollectWithResponse(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	yes := true
	var counted *client.CollectionResult
	within(t, "all old", func() bool {
		counted = collect(client.CollectionOrder{CountOnly: &yes}).JSON200
		return counted != nil && counted.Orphans > 0 && counted.Orphans == counted.Blocks
	})
	if counted.RemovedBlocks != 0 {
		t.Errorf("counting removed %d blocks", counted.RemovedBlocks)
	}
	if answer := collect(client.CollectionOrder{}); answer.StatusCode() != http.StatusConflict || !strings.Contains(string(answer.Body), "tenth") {
		t.Errorf("without leave: status %d, %s", answer.StatusCode(), answer.Body)
	}
	if done := collect(client.CollectionOrder{AnyShare: &yes}).JSON200; done == nil || done.RemovedBlocks != counted.Orphans {
		t.Errorf("with leave: %+v", done)
	}
	if left := c.objects(); len(left) != 1 {
		t.Errorf("left are %v, and should be the cluster's mark alone", left)
	}
	agent.ask(a) // computed again, as far as the node's own disk has not got it
	a.awaitAudit()
}

// What an agent leaves that no database knows of is collected once it is old; what is owned stays.
func TestABucketIsCleanedOfWhatNobodyOwns(t *testing.T) {
	c := newCluster(t)
	a := c.start("a", shortLived())
	agent := talk(t, "owner", 110)
	agent.keep(a)
	agent.ask(a)
	agent.awaitDurable(a)
	owned := c.objects()
	block := owned[len(owned)-1] // the first may be the cluster's mark
	stray := block[:len(block)-8] + "00000000"
	c.put(stray, []byte("left by a node that died between its bucket and its database"))
	within(t, "collected", func() bool { return !strings.Contains(strings.Join(c.objects(), "\n"), stray) })
	left := strings.Join(c.objects(), "\n")
	for _, name := range owned {
		if name != stray && !strings.Contains(left, name) {
			t.Errorf("%s is owned, and gone", name)
		}
	}
	if used := agent.ask(a); 10*used.Read < 9*used.prompt() {
		t.Errorf("%d of %d tokens were read", used.Read, used.prompt())
	}
}

// Two clusters that were given one bucket by mistake find nothing of each other, and neither removes what is
// the other's.
func TestTwoClustersOnOneBucket(t *testing.T) {
	c := newCluster(t)
	a := c.start("a", shortLived())
	agent := talk(t, "twin", 40)
	agent.keep(a)
	agent.ask(a)
	agent.awaitDurable(a)
	within(t, "claimed", func() bool { return strings.Contains(strings.Join(c.objects(), "\n"), "cluster") })

	other := *c
	other.database, other.postgres = through(t, bridge(t), startPostgres(t)), ""
	x := other.start("x", shortLived())
	same := talk(t, "twin", 40)
	same.keep(x)
	if used := same.ask(x); used.Read > 0 {
		t.Errorf("%d tokens of another cluster's were read", used.Read)
	}
	if same.turns[1].Content != agent.turns[1].Content {
		t.Errorf("the answers differ: %q and %q", same.turns[1].Content, agent.turns[1].Content)
	}
	within(t, "stopped", func() bool { return strings.Contains(x.log(), "collection_stopped") })
	if !strings.Contains(x.log(), "another cluster secret") {
		t.Error("it does not say why")
	}
	b := c.start("b", nil)
	if used := agent.ask(b); 10*used.Read < 9*used.prompt() {
		t.Errorf("%d of %d tokens were read", used.Read, used.prompt())
	}
}

// A deletion through one node, while the other answers the agent and stores what it computes, leaves nothing
// in the bucket.
func TestADeletionOutrunsConcurrentStores(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("a", nil), c.start("b", nil)
	for round := range 3 {
		agent := talk(t, fmt.Sprintf("doomed %d", round), 60)
		agent.ask(a)
		within(t, "known to the other node", func() bool { // its record is written behind the first answer
			return b.call(agent.key, http.MethodGet, "/v1/agents/"+agent.path(), nil, nil, nil) == http.StatusOK
		})
		talking := make(chan struct{})
		go func() {
			defer close(talking)
			_, _ = agent.tryUnlogged(a)
		}()
		within(t, "busy", func() bool { return a.metric("semantic_slots_busy_ratio") > 0 || isClosed(talking) })
		deleted, err := b.api(agent.key).DeleteAgentWithResponse(t.Context(), agent.agent)
		if err != nil || deleted.JSON202 == nil {
			t.Fatalf("%+v, %v", deleted, err)
		}
		<-talking
		b.awaitDeletion(deleted.JSON202.OperationId)
		time.Sleep(2 * time.Second) // what was on its way would have arrived
		if left := c.objects(); len(left) > 0 {
			t.Fatalf("round %d: %d objects are left: %v", round, len(left), left)
		}
		if status := a.call(agent.key, http.MethodGet, "/v1/agents/"+agent.path(), nil, nil, nil); status != http.StatusNotFound {
			t.Errorf("round %d: the agent is there again: %d", round, status)
		}
	}
}
