//go:build postgres

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/platform/database/pgtest"
)

// Two nodes have an agent's blocks on their disks. When one has deleted it and tells that this is done, both
// disks are empty.
func TestADeletionReachesEveryNode(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := talkative(t, sharing(database, "")), talkative(t, sharing(database, ""))
	for _, node := range []*running{one, two} {
		node.say(t, "a", "", strings.Repeat("said to both ", 60))
		node.durable(t, "/v1/agents/a")
	}
	one.remove(t, "/v1/agents/a")
	if a, b := one.files(t), two.files(t); a+b > 0 {
		t.Errorf("%d and %d blocks are left", a, b)
	}
	if status, _ := two.call(t, http.MethodGet, "/v1/agents/a", "", ""); status != http.StatusNotFound {
		t.Errorf("the other node knows the agent: %d", status)
	}
	two.say(t, "a", "", "a new beginning")
	if s := two.durable(t, "/v1/agents/a"); len(s.Heads) != 1 {
		t.Errorf("%+v", s)
	}
}

// A node was away when another deleted an agent: nobody waits for it, and it removes its blocks before it is
// ready again.
func TestADeletionReachesANodeThatWasAway(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := talkative(t, sharing(database, "")), talkative(t, sharing(database, ""))
	two.say(t, "a", "", strings.Repeat("said to two ", 60))
	two.say(t, "stays", "", strings.Repeat("stays with two ", 60))
	two.durable(t, "/v1/agents/a")
	kept := two.durable(t, "/v1/agents/stays").Tiers[1].Blocks
	name, err := os.ReadFile(filepath.Join(two.cacheDir, nodeFile))
	if err != nil {
		t.Fatal(err)
	}
	two.end(t)
	one.remove(t, "/v1/agents/a")
	if n := two.files(t); n <= kept {
		t.Fatalf("%d blocks are left", n)
	}
	two = talkative(t, sharing(database, two.cacheDir))
	if again, err := os.ReadFile(filepath.Join(two.cacheDir, nodeFile)); err != nil || string(again) != string(name) {
		t.Errorf("the node has another name: %q, %v", again, err)
	}
	eventually(t, "the other agent's blocks alone", func() bool { return two.files(t) == kept })
}

// A request runs on one node while another deletes its agent: it is answered, and leaves neither a record nor
// a block.
func TestADeletionCoversWhatRunsOnAnotherNode(t *testing.T) {
	database := pgtest.Start(t).Database()
	one := talkative(t, sharing(database, ""))
	g := launchGatedWith(t, sharing(database, ""))
	one.say(t, "a", "", strings.Repeat("before ", 60))
	one.durable(t, "/v1/agents/a")
	g.shut()
	g.begin(t, "a", strings.Repeat("secret of an agent ", 30))
	<-g.entered
	status, answer := one.call(t, http.MethodDelete, "/v1/agents/a", "", "")
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, answer)
	}
	operation := operationOf(t, answer)
	eventually(t, "the other node's confirmation", func() bool {
		select {
		case g.gate <- struct{}{}: // a deletion waits for the step under way
			<-g.entered
		default:
		}
		_, text := one.call(t, http.MethodGet, "/v1/agents/operations/"+operation, "", "")
		return strings.Contains(text, `"done"`)
	})
	g.open()
	g.asked.Wait()
	one.call(t, http.MethodGet, "/v1/agents", "", "")
	for _, node := range []*running{one, g.running} {
		if status, text := node.call(t, http.MethodGet, "/v1/agents/a", "", ""); status != http.StatusNotFound {
			t.Errorf("the agent is back: %d %s", status, text)
		}
		eventually(t, "an empty disk", func() bool { return node.files(t) == 0 })
	}
	g.end(t)
	if n := count(t, database, `SELECT count(*) FROM agents`); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

// Many nodes that start at once on an empty database agree on one secret.
func TestNodesThatStartAtOnceShareOneSecret(t *testing.T) {
	database := pgtest.Start(t).Database()
	nodes := make([]*running, 4)
	var starts sync.WaitGroup
	for i := range nodes {
		starts.Go(func() { nodes[i] = begin(t, enginetest.Config{NoEnd: true}, sharing(database, "")) })
	}
	starts.Wait()
	secrets := map[string]bool{}
	for _, node := range nodes {
		node.isReady(t)
		kept, err := os.ReadFile(filepath.Join(node.cacheDir, secretFile))
		if err != nil {
			t.Fatal(err)
		}
		secrets[string(kept)] = true
	}
	if len(secrets) != 1 {
		t.Errorf("there are %d secrets", len(secrets))
	}
}
