//go:build e2e

package cluster

import (
	"slices"
	"testing"
)

// An agent that spoke to node A goes on at node B, which has never heard of it, and reads what A computed.
func TestAnAgentMovesFromNodeToNode(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("a", nil), c.start("b", nil)
	agent := talk(t, "mover", 80)
	for range 3 {
		agent.ask(a)
	}
	agent.awaitDurable(a)
	moved := agent.ask(b)
	if computed := moved.prompt() - moved.Read; 10*computed > moved.prompt() {
		t.Errorf("%d of %d tokens were computed again", computed, moved.prompt())
	}
	if b.metric("semantic_tier_restores_total", `tier="object"`) == 0 {
		t.Error("nothing came from the bucket")
	}
	stayed := talk(t, "mover", 80)
	stayed.agent = "stayer" // the same words, from an agent of another name that never moves
	for range 4 {
		stayed.ask(a)
	}
	b.awaitAudit()
	if !slices.Equal(agent.answers(), stayed.answers()) {
		t.Errorf("the mover was answered %q, the stayer %q", agent.answers(), stayed.answers())
	}
}

// Agents that change the node with every turn read what the other node computed, and are answered as if they
// had stayed.
func TestAgentsHopBetweenNodes(t *testing.T) {
	c := newCluster(t)
	nodes := []*node{c.start("a", nil), c.start("b", nil)}
	alone := c.start("alone", map[string]string{"SEMANTIC_S3_PREFIX": "another"})
	defer func() {
		for _, n := range nodes {
			n.awaitAudit()
		}
	}()
	for _, name := range []string{"frog", "hare"} {
		hopper, sitter := talk(t, name, 30), talk(t, name, 30)
		prompt, read := 0, 0
		for i := range 8 {
			used := hopper.ask(nodes[i%2])
			hopper.awaitDurable(nodes[i%2])
			if i > 0 {
				prompt, read = prompt+used.prompt(), read+used.Read
			}
			sitter.ask(alone)
		}
		if 10*read < 9*prompt {
			t.Errorf("%s: %d of %d tokens were read", name, read, prompt)
		}
		t.Logf("%s: %d of %d tokens of later turns were read", name, read, prompt)
		if !slices.Equal(hopper.answers(), sitter.answers()) {
			t.Errorf("%s was answered %q while it hopped, %q while it stayed", name, hopper.answers(), sitter.answers())
		}
	}
}
