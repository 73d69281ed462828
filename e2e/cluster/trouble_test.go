//go:build e2e

package cluster

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// client is an S3 client of the test's own, which reaches the server whatever is broken for the nodes.
func (c *cluster) client() *minio.Client {
	c.t.Helper()
	client, err := minio.New(c.s3, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

// objects are the names of all objects of the bucket.
func (c *cluster) objects() (names []string) {
	c.t.Helper()
	for object := range c.client().ListObjects(c.t.Context(), c.bucketName, minio.ListObjectsOptions{Recursive: true}) {
		if object.Err != nil {
			c.t.Fatal(object.Err)
		}
		names = append(names, object.Key)
	}
	return names
}

// put stores an object.
func (c *cluster) put(name string, data []byte) {
	c.t.Helper()
	if _, err := c.client().PutObject(c.t.Context(), c.bucketName, name, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// under has some agents talk to a node until the returned function is called, which fails the test for every
// answer that was not given, and returns the conversations.
func under(t *testing.T, n *node, agents int) (stop func() []*conversation) {
	t.Helper()
	var talking sync.WaitGroup
	ended := make(chan struct{})
	conversations := make([]*conversation, agents)
	failures := make(chan error, 1000)
	for i := range agents {
		talked := talk(t, fmt.Sprintf("talker %d", i), 8)
		conversations[i] = talked
		talking.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if len(talked.turns) > 24 { // within the model's context
					talked.turns = talked.turns[:1]
				}
				if _, err := talked.try(n); err != nil {
					failures <- err
				}
			}
		})
	}
	return func() []*conversation {
		close(ended)
		talking.Wait()
		close(failures)
		for err := range failures {
			t.Errorf("under load: %v", err)
		}
		return conversations
	}
}

// With the bucket or the database away for a while under load nobody's request fails, the metrics say so, it
// heals without a restart, and then the bucket has all that it should have.
func TestTheBucketOrTheDatabaseGoesAway(t *testing.T) {
	for name, kind := range map[string]func(*cluster) *link{
		"bucket":   func(c *cluster) *link { return c.bucket },
		"database": func(c *cluster) *link { return c.database },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			a := c.start("a", nil)
			way := kind(c)
			stop := under(t, a, 3)
			time.Sleep(2 * time.Second)
			way.disturb("timeout", `"timeout":0`)
			if name == "bucket" {
				within(t, "told to be unhealthy", func() bool { return a.metric("semantic_tier_healthy", `tier="object"`) == 0 })
			} else {
				within(t, "told to be unavailable", func() bool { return strings.Contains(a.log(), "database_unavailable") })
			}
			time.Sleep(10 * time.Second)
			way.heal()
			time.Sleep(5 * time.Second)
			conversations := stop()
			for _, talked := range conversations {
				talked.awaitDurable(a)
			}
			if got := a.metric("semantic_tier_healthy"); got != 2 {
				t.Errorf("%v of 2 tiers are healthy afterwards", got)
			}
			b := c.start("b", nil) // which has nothing of its own
			for _, talked := range conversations {
				if used := talked.ask(b); 10*used.Read < 8*used.prompt() {
					t.Errorf("another node reads %d of %d tokens", used.Read, used.prompt())
				}
			}
		})
	}
}

// An S3 server that throttles, fails, or sends wrong or cut bytes costs time and never an answer or a wrong
// token.
func TestTheBucketMisbehaves(t *testing.T) {
	everySecond := func(status int, code string) func(*http.Request) (int, string) {
		var mu sync.Mutex
		n := 0
		return func(*http.Request) (int, string) {
			mu.Lock()
			defer mu.Unlock()
			if n++; n%2 == 0 {
				return status, code
			}
			return 0, ""
		}
	}
	for name, fault := range map[string]struct {
		refuse func(*http.Request) (int, string)
		change func([]byte) []byte
	}{
		"throttles":   {everySecond(503, "SlowDown"), nil},
		"fails":       {everySecond(500, "InternalError"), nil},
		"wrong bytes": {nil, func(b []byte) []byte { b[len(b)-1] ^= 0x40; return b }},
		"wrong head":  {nil, func(b []byte) []byte { b[100] ^= 1; return b }},
		"cuts":        {nil, func(b []byte) []byte { return b[:len(b)/2] }},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			way := meddle(t, bridge(t), c.s3)
			_, port, _ := strings.Cut(strings.TrimPrefix(way.url, "http://"), ":")
			settings := map[string]string{"SEMANTIC_S3_ENDPOINT": "http://" + outside + ":" + port}
			a := c.start("a", settings)
			agent := talk(t, "patient", 30)
			agent.ask(a)
			agent.awaitDurable(a)
			way.with(fault.refuse, fault.change)
			b := c.start("b", settings)
			agent.ask(b)
			agent.ask(b)
			way.with(nil, nil)
			sitter := talk(t, "patient", 30)
			sitter.agent = "sitter"
			for range 3 {
				sitter.ask(a)
			}
			if !slices.Equal(agent.answers(), sitter.answers()) {
				t.Errorf("answered %q, without faults %q", agent.answers(), sitter.answers())
			}
		})
	}
}

// A bucket that somebody emptied is filled again, and nobody gets an error.
func TestTheBucketIsEmptied(t *testing.T) {
	c := newCluster(t)
	a := c.start("a", nil)
	agent := talk(t, "unlucky", 30)
	agent.ask(a)
	agent.awaitDurable(a)
	for _, name := range c.objects() {
		if err := c.client().RemoveObject(t.Context(), c.bucketName, name, minio.RemoveObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	b := c.start("b", nil)
	if used := agent.ask(b); used.Read != 0 {
		t.Errorf("%d tokens were read from an empty bucket", used.Read)
	}
	agent.awaitDurable(b)
	if len(c.objects()) == 0 {
		t.Error("the bucket stays empty")
	}
}

// A node that is killed in the middle of an answer loses that answer at most; another one goes on with the
// rest.
func TestANodeIsKilledInMidTurn(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("a", nil), c.start("b", nil)
	agent := talk(t, "survivor", 40)
	agent.ask(a)
	agent.awaitDurable(a)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		_, _ = agent.tryUnlogged(a)
	}()
	within(t, "busy", func() bool { return a.metric("semantic_slots_busy_ratio") > 0 || isClosed(killed) })
	a.signal("KILL")
	<-killed
	if used := agent.ask(b); 10*used.Read < 8*used.prompt() {
		t.Errorf("%d of %d tokens were read", used.Read, used.prompt())
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// What a node had on its disk only when it was killed reaches the bucket from there when it is back.
func TestWhatABucketLacksReachesItAfterARestart(t *testing.T) {
	c := newCluster(t)
	folder := c.newVolume()
	a := c.startOn(folder, "a", nil)
	agent := talk(t, "returner", 40)
	c.bucket.swallow()
	agent.ask(a)
	within(t, "durable on its disk", func() bool { return agent.durable(a, "disk") > 0 })
	a.signal("KILL")
	a.awaitEnd()
	c.bucket.heal()
	if names := c.objects(); len(names) > 0 {
		t.Fatalf("%d objects are in the bucket already", len(names))
	}
	docker(t, "rm", "--force", a.container.GetContainerID())
	a = c.startOn(folder, "a again", nil)
	agent.awaitDurable(a)
	b := c.start("b", nil)
	if used := agent.ask(b); 10*used.Read < 9*used.prompt() {
		t.Errorf("another node reads %d of %d tokens", used.Read, used.prompt())
	}
}

// A node that is told to end stores everything in the bucket before it does, so that the next one finds it.
func TestADrainedNodeLeavesEverythingInTheBucket(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("a", nil), c.start("b", nil)
	agent := talk(t, "leaver", 40)
	agent.ask(a)
	a.end()
	if state, err := a.container.State(t.Context()); err != nil || state.ExitCode != 0 {
		t.Errorf("it ended with %d, %v", state.ExitCode, err)
	}
	if used := agent.ask(b); 10*used.Read < 9*used.prompt() {
		t.Errorf("%d of %d tokens were read", used.Read, used.prompt())
	}
}

// Who steals the bucket learns no text, no token ids and no key; who steals the database besides finds the
// secret, as the documents say.
func TestAStolenBucketTellsNothing(t *testing.T) {
	c := newCluster(t)
	a := c.start("a", nil)
	agent := talk(t, "secretive", 20)
	agent.ask(a)
	agent.awaitDurable(a)
	loot := t.TempDir()
	for _, name := range c.objects() {
		if err := c.client().FGetObject(t.Context(), c.bucketName, name, filepath.Join(loot, filepath.Base(name)), minio.GetObjectOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "secretive") {
			t.Errorf("an object's name tells the agent: %s", name)
		}
	}
	files, err := os.ReadDir(loot)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d objects, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(loot, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"secretive", "pump", "hall", userKey, adminKey, secretKey, agent.answers()[0]} {
			if bytes.Contains(data, []byte(word)) {
				t.Errorf("an object has %q in the clear", word)
			}
		}
		if _, err := blockfile.ReadEntry(bytes.NewReader(data), int64(len(data))); err != nil {
			t.Errorf("an object is no block file: %v", err)
		}
	}
}

// docker runs Docker's own client.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %v: %v: %s", args, err, out)
	}
	return string(out)
}
