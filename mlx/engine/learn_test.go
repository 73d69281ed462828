package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/object"
	"github.com/agent-memory/agent-memory/mlx/kv/object/objecttest"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// startSharing is a node with a disk of its own and the bucket, as it is wired; records are what the nodes' database has.
func startSharing(t *testing.T, bucket *objecttest.Bucket, records func(agent string) []kv.Chain) *node {
	t.Helper()
	shared := tier.NewRetry(tier.NewBreaker(object.New(object.Config{Bucket: bucket, Absence: time.Millisecond}), tier.BreakerConfig{}), tier.RetryConfig{})
	n := startNode(t, vfs.NewMem(vfs.MemConfig{}), 200, func(c *engine.Config) {
		c.Tiers = append(c.Tiers, shared)
		c.Policies = map[string]cache.Policy{"object": {OnlyWanted: true}}
		c.Chains = func(_ context.Context, _, agent string) []kv.Chain { return records(agent) }
	})
	t.Cleanup(n.stop)
	return n
}

func none(string) []kv.Chain { return nil }

// turn asks a node for the next answer and returns how much of the prompt was read.
func (c *talk) turn(t *testing.T, n *node, agent string) (read int) {
	t.Helper()
	c.say(strings.Repeat("question ", 12))
	req := c.request(40)
	req.Agent, req.Tenant = agent, "default"
	text, result, err := answer(n.Engine, req)
	if err != nil {
		t.Fatal(err)
	}
	c.hear(text)
	return result.Usage.Cached
}

// Another node goes on with a conversation in the tokens in which it was sampled: by the agent's record, and without one.
func TestAnotherNodeReadsWhatTheFirstStored(t *testing.T) {
	for name, hasRecord := range map[string]bool{"by the record": true, "without a record": false} {
		t.Run(name, func(t *testing.T) {
			bucket := objecttest.New()
			first := startSharing(t, bucket, none)
			conversation := &talk{}
			conversation.say(strings.Repeat("system ", 100))
			for range 4 {
				conversation.turn(t, first, "agent")
			}
			first.flush(t)
			known := *conversation
			record := none
			if hasRecord {
				chain := *first.chain.Load()
				record = func(string) []kv.Chain { return []kv.Chain{chain} }
			}
			second := startSharing(t, bucket, record)
			before := len(enginetest.Encode(known.text))
			if read := conversation.turn(t, second, "agent"); read < before-1 {
				t.Errorf("%d of %d tokens were read", read, before)
			}
			if again := known.turn(t, first, "agent"); again < before-1 || known.text != conversation.text {
				t.Errorf("the first node reads %d of %d tokens, and answers %q, not %q", again, before, known.text, conversation.text)
			}
		})
	}
}

// What a node has, and what nobody has, costs the bucket next to nothing.
func TestTheBucketIsNotAskedInVain(t *testing.T) {
	bucket := objecttest.New()
	n := startSharing(t, bucket, none)
	conversation := &talk{}
	conversation.say(strings.Repeat("system ", 100))
	conversation.turn(t, n, "agent")
	n.flush(t)
	bucket.Requests()
	for range 3 { // fewer new tokens than a block
		conversation.turn(t, n, "agent")
	}
	if asked := bucket.Requests("start", "list"); asked != 0 {
		t.Errorf("%d requests for what the node has", asked)
	}
	fresh := &talk{}
	fresh.say(strings.Repeat("something else ", 200))
	fresh.turn(t, n, "")
	if asked := bucket.Requests("start", "list"); asked > 4 {
		t.Errorf("%d requests for what nobody has", asked)
	}
}

// A bucket that fails costs the answer nothing but the computation.
func TestABucketThatFailsFailsNobody(t *testing.T) {
	bucket := objecttest.New()
	bucket.Fail(errors.New("the network is away"))
	n := startSharing(t, bucket, none)
	conversation := &talk{}
	conversation.say(strings.Repeat("system ", 100))
	for range 3 {
		conversation.turn(t, n, "agent")
	}
	bucket.Fail(nil)
	waitFor(t, "everything in the bucket", func() bool {
		for _, h := range n.cache(t).Holdings(t.Context(), []kv.Chain{*n.chain.Load()}) {
			if h.Tier == "object" {
				return h.Tokens == n.chain.Load().Tokens
			}
		}
		return false
	})
}
