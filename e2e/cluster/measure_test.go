//go:build e2e

package cluster

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// A move is measured beside a cold start and a read from the node's own disk, in one run; nothing is asserted
// of times.
func TestWhatAMoveCosts(t *testing.T) {
	c := newCluster(t)
	settings := map[string]string{"SEMANTIC_SERVER_AUDIT": "0", "SEMANTIC_MLX_CACHE_BUDGET_MB": "1024"}
	a, b := c.start("a", settings), c.start("b", settings)
	took := map[string][]time.Duration{}
	var moved float64
	for round := range 3 {
		cold, mover := talk(t, fmt.Sprintf("cold %d", round), 145), talk(t, fmt.Sprintf("mover %d", round), 145)
		cold.tokens, mover.tokens = 1, 1
		cold.ask(b)
		took["cold"] = append(took["cold"], cold.last)
		mover.ask(a)
		mover.awaitDurable(a)
		before := b.metric("semantic_tier_bytes_total", `tier="object"`, `direction="up"`)
		used := mover.ask(b)
		took["from the bucket"] = append(took["from the bucket"], mover.last)
		moved = b.metric("semantic_tier_bytes_total", `tier="object"`, `direction="up"`) - before
		if used.Read*10 < used.prompt()*9 {
			t.Errorf("%d of %d tokens were read", used.Read, used.prompt())
		}
		within(t, "on the other node's disk", func() bool { return mover.durable(b, "disk") >= used.prompt()-1 })
		if status := b.call(adminKey, http.MethodPost, "/admin/agents/default/"+mover.path()+"/evict", nil, map[string]string{"to": "disk"}, nil); status != http.StatusOK {
			t.Fatalf("evict: status %d", status)
		}
		mover.turns = mover.turns[:len(mover.turns)-1]
		mover.ask(b)
		took["from its disk"] = append(took["from its disk"], mover.last)
	}
	medians := map[string]time.Duration{}
	for what, times := range took {
		slices.Sort(times)
		medians[what] = times[len(times)/2]
		t.Logf("first token, %s: %v", what, medians[what].Round(time.Millisecond))
	}
	ratio := func(x, y string) float64 { return float64(medians[x]) / float64(medians[y]) }
	t.Logf("from the bucket: %.2f of cold, %.2f of its own disk", ratio("from the bucket", "cold"), ratio("from the bucket", "from its disk"))
	plain := c.plainRate()
	restored := moved / medians["from the bucket"].Seconds() / 1e6
	t.Logf("restored %.0f MB at %.0f MB/s in the time to the first token; plain parallel reads: %.0f MB/s: %.2f", moved/1e6, restored, plain, restored/plain)
}

// plainRate is how many megabytes a second four plain readers get of the bucket's objects, through the nodes'
// link.
func (c *cluster) plainRate() float64 {
	c.t.Helper()
	client, err := minio.New(c.bucket.address(), &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	if err != nil {
		c.t.Fatal(err)
	}
	names := make(chan string)
	var reading sync.WaitGroup
	var mu sync.Mutex
	var bytes int64
	began := time.Now()
	for range 4 {
		reading.Go(func() {
			for name := range names {
				object, err := client.GetObject(c.t.Context(), c.bucketName, name, minio.GetObjectOptions{})
				if err != nil {
					c.t.Error(err)
					continue
				}
				n, err := io.Copy(io.Discard, object)
				if err != nil {
					c.t.Error(err)
				}
				mu.Lock()
				bytes += n
				mu.Unlock()
				_ = object.Close()
			}
		})
	}
	for _, name := range c.objects() {
		names <- name
	}
	close(names)
	reading.Wait()
	return float64(bytes) / time.Since(began).Seconds() / 1e6
}
