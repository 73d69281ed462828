//go:build e2e

package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	containertypes "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// drainPatience is how many seconds a node has to end, as orchestrators give it: longer than its drain and its flush.
const drainPatience = "80"

// Images of this version, of one before it if there is one, and of one after it (e2e/images/next.sh).
func versions() (old, next string) {
	current := imageOf("E2E_IMAGE", "agent-memory:dev")
	return imageOf("E2E_PREVIOUS_IMAGE", current), imageOf("E2E_NEXT_IMAGE", "agent-memory:next")
}

// place is where one node after another runs: an address and a volume that outlive each.
type place struct {
	c       *cluster
	name    string
	port    string
	volume  string
	current *node
}

func (c *cluster) newPlace(name string) *place {
	c.t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	_ = free.Close()
	return &place{c: c, name: name, port: port, volume: c.newVolume()}
}

// run starts a node of an image there, and waits until it is ready.
func (p *place) run(image string) {
	p.c.t.Helper()
	p.c.image, p.c.port = image, p.port
	defer func() { p.c.image, p.c.port = "", "" }()
	p.current = p.c.startOn(p.volume, p.name, map[string]string{"SEMANTIC_SERVER_AUDIT": "0"})
}

// checkRecords fails the test if the node could not work with the database as another version made it.
func (p *place) checkRecords() {
	p.c.t.Helper()
	for _, trouble := range []string{"database_unavailable", "record_not_written", "deletion_delayed", "collection_stopped"} {
		if strings.Contains(p.current.log(), trouble) {
			p.c.t.Errorf("node %s tells %s", p.name, trouble)
		}
	}
}

// replace ends the node as an orchestrator does, and starts one of an image in its place.
func (p *place) replace(image string) {
	p.c.t.Helper()
	id := p.current.container.GetContainerID()
	docker(p.c.t, "stop", "--time", drainPatience, id)
	if code := strings.TrimSpace(docker(p.c.t, "inspect", "--format", "{{.State.ExitCode}}", id)); code != "0" {
		p.c.t.Errorf("node %s ended with %s", p.name, code)
	}
	p.checkRecords()
	p.run(image)
}

// version is what the node that runs there says of itself.
func (p *place) version() (name string) {
	var about struct{ Version string }
	p.current.call(userKey, "GET", "/", nil, nil, &about)
	return about.Version
}

// balance starts the balancer of deploy/haproxy for nodes at some places.
func (c *cluster) balance(places []*place) *node {
	c.t.Helper()
	environment, config := map[string]string{}, balancerConfig(c.t, places)
	for _, p := range places {
		environment["NODE_"+strings.ToUpper(p.name)] = net.JoinHostPort(outside, p.port)
	}
	box, address := container(c.t, testcontainers.ContainerRequest{
		Image: imageOf("E2E_HAPROXY_IMAGE", "haproxy:3.0"), Env: environment, ExposedPorts: []string{"8080/tcp"},
		Files: []testcontainers.ContainerFile{{
			Reader: strings.NewReader(config), ContainerFilePath: "/usr/local/etc/haproxy/haproxy.cfg", FileMode: 0o644,
		}},
		HostConfigModifier: func(h *containertypes.HostConfig) { h.ExtraHosts = []string{outside + ":" + bridge(c.t)} },
		WaitingFor:         wait.ForHTTP("/health/ready").WithPort("8080/tcp").WithStartupTimeout(patience),
	})
	return &node{c.t, "balancer", "http://" + address, box}
}

// balancerConfig is the example of deploy/haproxy with a server for each place.
func balancerConfig(t *testing.T, places []*place) string {
	t.Helper()
	example, err := os.ReadFile(filepath.Join("..", "..", "deploy", "haproxy", "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := "  server a \"${NODE_A}\"\n", "  server b \"${NODE_B}\"\n"
	var servers strings.Builder
	for _, p := range places {
		fmt.Fprintf(&servers, "  server %s \"${NODE_%s}\"\n", p.name, strings.ToUpper(p.name))
	}
	if strings.Count(string(example), first+second) != 2 {
		t.Fatal("deploy/haproxy/haproxy.cfg has not two backends of two servers")
	}
	return strings.ReplaceAll(string(example), first+second, servers.String())
}

// published has Docker publish a node's port at a fixed one of this machine.
func published(h *containertypes.HostConfig, port string) {
	h.PortBindings = network.PortMap{network.MustParsePort("8000/tcp"): []network.PortBinding{{HostPort: port}}}
}

// walker is an agent that talks while nodes come and go.
type walker struct {
	*conversation
	computed, prompts int // tokens of all turns but the first
}

// walk has an agent talk through the balancer until told to end. Every request must be answered.
func (w *walker) walk(balancer *node, ended <-chan struct{}) error {
	for len(w.turns) < 2*maxRollingTurns {
		select {
		case <-ended:
			return nil
		case <-time.After(500 * time.Millisecond):
		}
		used, err := w.try(balancer)
		if err != nil {
			return fmt.Errorf("agent %s, turn %d: %w", w.agent, len(w.used), err)
		}
		if len(w.used) > 1 {
			w.prompts += used.prompt()
			w.computed += used.prompt() - used.Read
		}
	}
	return nil
}

// maxRollingTurns keeps a conversation within the model's context.
const maxRollingTurns = 60

// walkers has some agents talk through the balancer. The returned function waits for their last answers.
func walkers(t *testing.T, balancer *node, count int) (stop func() []*walker) {
	t.Helper()
	var talking sync.WaitGroup
	ended, all := make(chan struct{}), make([]*walker, count)
	for i := range count {
		w := &walker{conversation: talk(t, fmt.Sprintf("roller %d", i), 12)}
		w.tokens, all[i] = 24, w
		talking.Go(func() {
			if err := w.walk(balancer, ended); err != nil {
				t.Errorf("while nodes were replaced: %v", err)
			}
		})
	}
	return func() []*walker {
		close(ended)
		talking.Wait()
		return all
	}
}

// Three nodes behind the balancer are replaced one after the other by the next version's, which adds to the database's
// schema, and the first then by the version before again, while agents talk: no request fails, no agent loses its memory,
// and every answer is what a node that is left alone gives.
func TestNodesAreUpgradedAndRolledBackUnderLoad(t *testing.T) {
	c := newCluster(t)
	old, next := versions()
	alone := c.start("alone", map[string]string{"SEMANTIC_S3_PREFIX": "another"})
	places := []*place{c.newPlace("a"), c.newPlace("b"), c.newPlace("c")}
	for _, p := range places {
		p.run(old)
	}
	before := places[0].version()
	balancer := c.balance(places)
	stop := walkers(t, balancer, 4)
	replace := func(p *place, image string) {
		p.replace(image)
		t.Logf("node %s now runs %s", p.name, p.version())
		if (p.version() == before) != (image == old) {
			t.Errorf("node %s runs %s, not another image", p.name, p.version())
		}
	}
	replace(places[0], next)
	checkTogether(t, places)
	replace(places[1], next)
	replace(places[2], next)
	replace(places[0], old)
	for _, w := range stop() {
		t.Logf("%s: %d answers, %d of %d tokens of later turns were computed again", w.agent, len(w.used), w.computed, w.prompts)
		if len(w.used) < 3 || 10*w.computed > w.prompts {
			t.Errorf("%s: %d answers, %d of %d tokens were computed again", w.agent, len(w.used), w.computed, w.prompts)
		}
		sitter := talk(t, w.agent, 12)
		sitter.tokens = w.tokens
		for range w.used {
			sitter.ask(alone)
		}
		if !slices.Equal(sitter.answers(), w.answers()) {
			t.Errorf("%s was answered %q, without upgrades %q", w.agent, w.answers(), sitter.answers())
		}
		for _, p := range places {
			if status := p.current.call(userKey, "GET", "/v1/agents/"+w.path(), nil, nil, nil); status != 200 {
				t.Errorf("%s at node %s: status %d", w.agent, p.name, status)
			}
		}
	}
	for _, p := range places {
		p.checkRecords()
	}
}

// checkTogether has a node of the next version, the first, and two of the version before work with the same records: a key
// that one makes is good at the others, and an agent of one is deleted by another, everywhere.
func checkTogether(t *testing.T, places []*place) {
	t.Helper()
	next, old := places[0].current, places[1].current
	for _, n := range []*node{next, old} {
		fleeting := talk(t, "fleeting at "+n.name, 2)
		fleeting.key, fleeting.tokens = n.makeKey("tenant of "+n.name).Key, 4
		for _, p := range places {
			fleeting.ask(p.current)
		}
		var deleted struct {
			Operation string `json:"operation_id"`
		}
		if status := n.call(fleeting.key, "DELETE", "/v1/agents/"+fleeting.path(), nil, nil, &deleted); status >= 300 {
			t.Errorf("node %s: the deletion has status %d", n.name, status)
		}
		n.awaitDeletion(deleted.Operation)
	}
}
