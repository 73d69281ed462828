//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/openapi/client"
)

type turn struct{ Role, Content string }

type usage struct{ Input, Creation, Read, Output int }

// prompt is all of the prompt's tokens.
func (u usage) prompt() int { return u.Input + u.Creation + u.Read }

// conversation is that of one agent, wherever its nodes are.
type conversation struct {
	t      *testing.T
	agent  string // empty: none is named
	key    string
	turns  []turn
	used   []usage // of each answer
	last   time.Duration
	tokens int // most of an answer
}

// talk begins a conversation with a long document, so many lines of it.
func talk(t *testing.T, agent string, lines int) *conversation {
	var document strings.Builder
	for i := range lines {
		fmt.Fprintf(&document, "Entry %d of the log of %s: the pump in hall %d ran for %d minutes.\n", i, agent, i*7%13, i*31%97)
	}
	return &conversation{t: t, agent: agent, key: userKey, tokens: 48, turns: []turn{{"user", document.String() + "\nWhich pump ran first?"}}}
}

// ask sends the conversation to a node and adds its answer.
func (c *conversation) ask(n *node) usage {
	c.t.Helper()
	u, err := c.try(n)
	if err != nil {
		c.t.Fatalf("agent %q at node %s, turn %d: %v", c.agent, n.name, len(c.turns), err)
	}
	return u
}

func (c *conversation) try(n *node) (u usage, err error) {
	if c.turns[len(c.turns)-1].Role == "assistant" {
		c.turns = append(c.turns, turn{"user", fmt.Sprintf("Tell me more about entry %d.", len(c.turns))})
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	params := client.CreateMessageParams{}
	if c.agent != "" {
		params.XAgentID = &c.agent
	}
	began := time.Now()
	answer, err := n.api(c.key).CreateMessageWithResponse(ctx, &params, c.request())
	switch {
	case err != nil:
		return u, err
	case answer.JSON200 == nil || len(answer.JSON200.Content) != 1:
		return u, fmt.Errorf("status %d: %s", answer.StatusCode(), answer.Body)
	}
	text, err := answer.JSON200.Content[0].AsTextBlock()
	if err != nil {
		return u, err
	}
	c.last = time.Since(began)
	c.turns = append(c.turns, turn{"assistant", text.Text})
	spent := answer.JSON200.Usage
	u = usage{int(spent.InputTokens), int(spent.CacheCreationInputTokens), int(spent.CacheReadInputTokens), int(spent.OutputTokens)}
	c.used = append(c.used, u)
	return u, nil
}

// request is what asks for the next answer.
func (c *conversation) request() client.MessageRequest {
	request := client.MessageRequest{Model: "claude-x", MaxTokens: int64(c.tokens)}
	for _, said := range c.turns {
		message := client.MessageParam{Role: client.MessageParamRole(said.Role)}
		if err := message.Content.FromMessageParamContent0(said.Content); err != nil {
			c.t.Fatal(err)
		}
		request.Messages = append(request.Messages, message)
	}
	return request
}

// tryUnlogged sends the conversation and forgets the answer.
func (c *conversation) tryUnlogged(n *node) (usage, error) {
	other := *c
	other.turns = append([]turn{}, c.turns...)
	return other.try(n)
}

// path is the agent's name in a path.
func (c *conversation) path() string { return url.PathEscape(c.agent) }

// answers are the texts of the assistant's turns.
func (c *conversation) answers() (texts []string) {
	for _, turn := range c.turns {
		if turn.Role == "assistant" {
			texts = append(texts, turn.Content)
		}
	}
	return texts
}

// durable is how many tokens of the agent's longest conversation a tier has for good, as a node tells.
func (c *conversation) durable(n *node, tier string) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := n.api(c.key).GetAgentWithResponse(ctx, c.agent)
	if err != nil || answer.JSON200 == nil || answer.JSON200.Tiers == nil {
		return 0
	}
	for _, has := range *answer.JSON200.Tiers {
		if has.Tier == tier {
			return int(has.DurableTokens)
		}
	}
	return 0
}

// awaitDurable waits until the bucket has all of the conversation whose KV there is: all but the last token.
func (c *conversation) awaitDurable(n *node) {
	c.t.Helper()
	last := c.used[len(c.used)-1]
	want := last.prompt() + last.Output - 2 // the answer's end has no KV, and max_tokens may cut the text before it
	within(c.t, "durable in the bucket", func() bool { return c.durable(n, "object") >= want })
}

// within waits until something comes true.
func within(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !isSo(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never %s", what)
		}
	}
}
