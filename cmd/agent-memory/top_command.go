package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sort"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

type topCommand struct {
	remote
	Every time.Duration `default:"2s" help:"Between two looks."`
	Once  bool          `help:"Look once and end, as without a terminal."`
	Limit int           `default:"15" help:"At most so many agents."`
}

// snapshot is how a server is at one time.
type snapshot struct {
	At      time.Time            `json:"at"`
	Ready   bool                 `json:"ready"`
	Gauges  map[string]float64   `json:"gauges"`
	Tokens  map[string]float64   `json:"tokens"` // since the start: prompt, cached, generated
	Pool    client.PoolState     `json:"pool"`
	Tenants []client.TenantUsage `json:"tenants"`
	Agents  []client.Agent       `json:"agents"`
}

// Run shows how the server is, until it is told to end.
func (c topCommand) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	before, err := c.look(ctx, cfg, api)
	if err != nil {
		return err
	}
	if c.JSON || c.Once || !isTerminal(to.out) {
		return c.print(to, before, func(t *tabwriter.Writer) { before.write(t, nil) })
	}
	for {
		fmt.Fprint(to.out, "\x1b[H\x1b[2J") // the cursor goes home, and what is there goes
		table := tabwriter.NewWriter(to.out, 0, 8, 2, ' ', 0)
		fmt.Fprintf(table, "%s, every %s, Ctrl-C ends\n", c.address(cfg), c.Every)
		now, err := c.look(ctx, cfg, api)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprintln(table, err)
		} else {
			now.write(table, before)
			before = now
		}
		if err := table.Flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(c.Every, 100*time.Millisecond)):
		}
	}
}

// look asks the server how it is.
func (c topCommand) look(ctx context.Context, cfg *config.Config, api *client.ClientWithResponses) (*snapshot, error) {
	s := &snapshot{At: time.Now(), Gauges: map[string]float64{}, Tokens: map[string]float64{}}
	if err := s.readMetrics(ctx, c.address(cfg)); err != nil {
		return nil, err
	}
	pool, err := api.GetPoolWithResponse(ctx)
	if err != nil {
		return nil, err
	}
	usage, err := api.AdminListUsageWithResponse(ctx, &client.AdminListUsageParams{})
	if err != nil {
		return nil, err
	}
	limit := int64(max(1, c.Limit))
	agents, err := api.AdminListAgentsWithResponse(ctx, &client.AdminListAgentsParams{Limit: &limit})
	if err != nil {
		return nil, err
	}
	s.Pool, s.Tenants, s.Agents = *pool.JSON200, usage.JSON200.Tenants, agents.JSON200.Agents
	return s, nil
}

// readMetrics reads the figures that only the metrics have.
func (s *snapshot) readMetrics(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/metrics", nil)
	if err != nil {
		return fmt.Errorf("look at %s: %w", address, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("look at %s: %w; start the server with `agent-memory serve`, or name it with --url", address, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("look at %s/metrics: %s; does --url name an agent-memory server?", address, answer.Status)
	}
	return s.parse(answer.Body)
}

func (s *snapshot) parse(exposition io.Reader) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(exposition)
	if err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	for _, name := range []string{"semantic_ready", "semantic_queue_depth", "semantic_slots_busy_ratio", "semantic_agents_active"} {
		for _, m := range families[name].GetMetric() {
			s.Gauges[name] = m.GetGauge().GetValue()
		}
	}
	s.Ready = s.Gauges["semantic_ready"] == 1
	for _, m := range families["semantic_tokens_total"].GetMetric() {
		s.Tokens[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	return nil
}

// write writes the snapshot for people, with rates since another one; nil: there are none.
func (s *snapshot) write(t *tabwriter.Writer, before *snapshot) {
	state := "ready"
	if !s.Ready {
		state = "NOT READY"
	}
	fmt.Fprintf(t, "%s\tslots busy %.0f %%\tqueue %.0f\tagents in the pool %.0f\n", state, 100*s.Gauges["semantic_slots_busy_ratio"], s.Gauges["semantic_queue_depth"], s.Gauges["semantic_agents_active"])
	fmt.Fprintf(t, "tokens\tcomputed %s\tread %s\tgenerated %s\n\n", s.rate(before, "prompt"), s.rate(before, "cached"), s.rate(before, "generated"))
	poolTable(t, &s.Pool)
	fmt.Fprintln(t, "\nTENANT\tREQUESTS\tFAILED\tPROMPT TOKENS\tOF THEM READ\tGENERATED")
	sort.SliceStable(s.Tenants, func(i, j int) bool { return s.Tenants[i].LastRequestAt.After(s.Tenants[j].LastRequestAt) })
	for _, u := range s.Tenants[:min(len(s.Tenants), 8)] {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", u.Tenant, u.Requests, u.Failed, u.PromptTokens, u.CachedTokens, u.GeneratedTokens)
	}
	fmt.Fprintln(t, "\nAGENT\tTENANT\tTOKENS\tCONVERSATIONS\tLAST USED")
	for _, a := range s.Agents {
		fmt.Fprintf(t, "%q\t%s\t%d\t%d\t%s ago\n", a.Id, given(a.Tenant), a.Tokens, len(a.Conversations), age(a.LastUsedAt))
	}
}

// rate is how many tokens of a kind a second there were since another snapshot, or all of them.
func (s *snapshot) rate(before *snapshot, kind string) string {
	if before == nil {
		return fmt.Sprintf("%.0f", s.Tokens[kind])
	}
	seconds := s.At.Sub(before.At).Seconds()
	return fmt.Sprintf("%.0f/s", max(0, s.Tokens[kind]-before.Tokens[kind])/max(seconds, 0.001))
}
