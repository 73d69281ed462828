//go:build e2e

package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/openapi/client"
	containertypes "github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// Keys of the tests' clients.
const (
	userKey  = "e2e-user-key"
	adminKey = "e2e-admin-key"
)

// nodeFolder is where a node of our image keeps its memory.
const nodeFolder = "/var/lib/agent-memory"

// outside is the name by which containers reach this machine.
const outside = "outside"

// bridge is the address of this machine on the network of the containers.
func bridge(t *testing.T) string {
	t.Helper()
	if given := os.Getenv("E2E_BRIDGE"); given != "" {
		return given
	}
	docker0, err := net.InterfaceByName("docker0")
	if err != nil {
		return "0.0.0.0" // an engine in a virtual machine: it forwards to this one
	}
	addresses, err := docker0.Addrs()
	if err != nil || len(addresses) == 0 {
		t.Fatalf("docker0 has no address: %v; set E2E_BRIDGE", err)
	}
	return addresses[0].(*net.IPNet).IP.String()
}

// cluster is a Postgres and a bucket, each behind a link that a test can break, for several nodes.
type cluster struct {
	t          *testing.T
	database   *link
	bucket     *link
	bucketName string
	s3         string // the server's own address
	postgres   string // and the database's
	volume     string // for the folder of the node that is being started; empty: memory
	image      string // of the node that is being started; empty: that of E2E_IMAGE
	port       string // of this machine, for the node that is being started; empty: any
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, s3: startS3(t), postgres: startPostgres(t)}
	c.bucketName = makeBucket(t, c.s3)
	host := bridge(t)
	c.bucket, c.database = through(t, host, c.s3), through(t, host, c.postgres)
	return c
}

// node is one running node.
type node struct {
	t         *testing.T
	name      string
	url       string
	container testcontainers.Container
}

// portOf is how containers reach a link.
func portOf(l *link) string {
	_, port, _ := net.SplitHostPort(l.address())
	return net.JoinHostPort(outside, port)
}

// start runs a node and waits until it is ready.
func (c *cluster) start(name string, settings map[string]string) *node {
	c.t.Helper()
	n := c.launch(name, settings, wait.ForHTTP("/health/ready").WithPort("8000/tcp").WithStartupTimeout(patience))
	c.t.Cleanup(func() { n.checkAudits() })
	return n
}

// startOn is start for a node whose folder is a volume of Docker's, which outlives it.
func (c *cluster) startOn(volume, name string, settings map[string]string) *node {
	c.t.Helper()
	c.volume = volume
	defer func() { c.volume = "" }()
	return c.start(name, settings)
}

// newVolume makes a volume of Docker's that is removed after the test.
func (c *cluster) newVolume() (name string) {
	c.t.Helper()
	name = strings.TrimSpace(docker(c.t, "volume", "create"))
	c.t.Cleanup(func() { docker(c.t, "volume", "rm", "--force", name) })
	return name
}

// launch runs a node and waits for what is given.
func (c *cluster) launch(name string, settings map[string]string, until wait.Strategy) *node {
	c.t.Helper()
	environment := map[string]string{
		"SEMANTIC_DATABASE_URL": fmt.Sprintf("postgres://postgres:%s@%s/agents?sslmode=disable", secretKey, portOf(c.database)),
		"SEMANTIC_S3_ENDPOINT":  "http://" + portOf(c.bucket), "SEMANTIC_S3_BUCKET": c.bucketName,
		"SEMANTIC_S3_ACCESS_KEY": accessKey, "SEMANTIC_S3_SECRET_KEY": secretKey,
		"ANTHROPIC_API_KEY": userKey, "SEMANTIC_ADMIN_KEY": adminKey, "SEMANTIC_SERVER_AUDIT": "1/1",
		"SEMANTIC_MLX_CACHE_BUDGET_MB": "512", "SEMANTIC_AGENT_DISK_MIN_FREE_MB": "0",
		"SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT": "0", "SEMANTIC_SERVER_RATE_LIMIT_GLOBAL": "0",
	}
	maps.Copy(environment, settings)
	inMemory, folders := map[string]string{"/tmp": "rw"}, []string(nil)
	if c.volume == "" {
		inMemory[nodeFolder] = "rw,size=2g,mode=0700,uid=10001,gid=10001"
	} else {
		folders = append(folders, c.volume+":"+nodeFolder)
	}
	box, address := container(c.t, testcontainers.ContainerRequest{
		Image: cmp.Or(c.image, imageOf("E2E_IMAGE", "agent-memory:dev")), Env: environment, ExposedPorts: []string{"8000/tcp"},
		Tmpfs: inMemory,
		HostConfigModifier: func(h *containertypes.HostConfig) {
			h.ReadonlyRootfs = true
			h.Binds = append(h.Binds, folders...)
			h.ExtraHosts = []string{outside + ":" + bridge(c.t)}
			if c.port != "" {
				published(h, c.port)
			}
		},
		WaitingFor: until,
	})
	n := &node{c.t, name, "http://" + address, box}
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("the log of node %s:\n%s", name, n.log())
		}
	})
	return n
}

// log is what the node wrote.
func (n *node) log() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	logs, err := n.container.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer logs.Close()
	text, _ := io.ReadAll(logs)
	return string(text)
}

// awaitAudit waits until an answer was computed again without any cache and found equal: that it did not
// differ says nothing while none was.
func (n *node) awaitAudit() {
	n.t.Helper()
	within(n.t, "audited", func() bool { return n.metric("semantic_audits_total", `result="equal"`) > 0 })
}

// checkAudits fails the test if an answer was not what it is without any cache.
func (n *node) checkAudits() {
	if strings.Contains(n.log(), "audit_differs") {
		n.t.Errorf("node %s: an answer is not what it is without a cache", n.name)
	}
}

// signal sends a signal to the node's process, by Docker.
func (n *node) signal(name string) {
	n.t.Helper()
	docker(n.t, "kill", "--signal", name, n.container.GetContainerID())
}

// api is the node's API, for who has the key.
func (n *node) api(key string) *client.ClientWithResponses {
	n.t.Helper()
	api, err := client.NewClientWithResponses(n.url, client.WithRequestEditorFn(func(_ context.Context, request *http.Request) error {
		request.Header.Set("X-Api-Key", key)
		return nil
	}))
	if err != nil {
		n.t.Fatal(err)
	}
	return api
}

// awaitDeletion waits until a deletion is done on every node.
func (n *node) awaitDeletion(operation string) {
	n.t.Helper()
	within(n.t, "deleted everywhere", func() bool {
		answer, err := n.api(adminKey).AdminGetOperationWithResponse(n.t.Context(), operation)
		return err == nil && answer.JSON200 != nil && answer.JSON200.Status == client.OperationStatusDone
	})
}

// call makes a request with a key, and decodes the answer.
func (n *node) call(key, method, path string, headers map[string]string, body, answer any) (status int) {
	n.t.Helper()
	status, err := n.try(key, method, path, headers, body, answer)
	if err != nil {
		n.t.Fatalf("node %s: %s %s: %v", n.name, method, path, err)
	}
	return status
}

func (n *node) try(key, method, path string, headers map[string]string, body, answer any) (status int, err error) {
	var raw bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&raw).Encode(body); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, n.url+path, &raw)
	if err != nil {
		return 0, err
	}
	request.Header.Set("x-api-key", key)
	request.Header.Set("content-type", "application/json")
	request.Header.Set("anthropic-version", "2023-06-01")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, err
	}
	if answer != nil && response.StatusCode < 300 {
		if err := json.Unmarshal(text, answer); err != nil {
			return response.StatusCode, fmt.Errorf("%w in %q", err, text)
		}
	}
	if response.StatusCode >= 500 {
		return response.StatusCode, fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	return response.StatusCode, nil
}

// metric is the sum of the series of a metric whose line contains all that is given.
func (n *node) metric(name string, with ...string) (sum float64) {
	n.t.Helper()
	response, err := http.Get(n.url + "/metrics")
	if err != nil {
		n.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		n.t.Fatal(err)
	}
lines:
	for line := range strings.Lines(string(text)) {
		series, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, part := range with {
			if !strings.Contains(series, part) {
				continue lines
			}
		}
		var number float64
		if _, err := fmt.Sscan(value, &number); err != nil {
			n.t.Fatal(err)
		}
		sum += number
	}
	return sum
}
