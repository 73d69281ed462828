package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

type agentsCommand struct {
	List     agentsList     `cmd:"" help:"List agents."`
	Show     agentsShow     `cmd:"" help:"Show an agent and what each tier holds of it."`
	Evict    agentsEvict    `cmd:"" help:"Take an agent's memory out of the pool, once a lower tier has it."`
	Prefetch agentsPrefetch `cmd:"" help:"Bring an agent's memory into the pool."`
	Retain   agentsRetain   `cmd:"" help:"Give an agent's memory up after others for a while."`
	Delete   agentsDelete   `cmd:"" help:"Delete an agent and all blocks that are nobody else's."`
}

// agentInfo is an agent as the server tells it.
type agentInfo struct {
	ID            string             `json:"id"`
	Tenant        string             `json:"tenant"`
	Created       time.Time          `json:"created_at"`
	Used          time.Time          `json:"last_used_at"`
	RetainUntil   *time.Time         `json:"retain_until,omitempty"`
	TTL           float64            `json:"ttl_seconds,omitempty"`
	Tokens        int                `json:"tokens"`
	Conversations []conversationInfo `json:"conversations"`
	Tiers         []holdingInfo      `json:"tiers,omitempty"`
}

type conversationInfo struct {
	Head   string    `json:"head"`
	Tokens int       `json:"tokens"`
	Blocks int       `json:"blocks"`
	Used   time.Time `json:"last_used_at"`
}

type holdingInfo struct {
	Tier    string `json:"tier"`
	Blocks  int    `json:"blocks"`
	Bytes   int64  `json:"bytes"`
	Tokens  int    `json:"tokens"`
	Durable int    `json:"durable_tokens"`
}

type movedInfo struct {
	Blocks int   `json:"blocks"`
	Bytes  int64 `json:"bytes"`
}

type agentsList struct {
	remote
	Tenant string `help:"Only this tenant's."`
	Prefix string `help:"Only ids that begin so."`
	Limit  int    `default:"0" help:"At most so many; 0 for all."`
}

// Run prints the agents, page by page.
func (c agentsList) Run(ctx context.Context, cfg *config.Config, to streams) error {
	all, query := []agentInfo{}, url.Values{"tenant": {c.Tenant}, "prefix": {c.Prefix}, "limit": {"1000"}}
	for {
		var page struct {
			Agents []agentInfo `json:"agents"`
			Next   string      `json:"next_cursor"`
		}
		if err := c.call(ctx, cfg, http.MethodGet, "/admin/agents?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		all = append(all, page.Agents...)
		if page.Next == "" || c.Limit > 0 && len(all) >= c.Limit {
			break
		}
		query.Set("cursor", page.Next)
	}
	if c.Limit > 0 {
		all = all[:min(c.Limit, len(all))]
	}
	return c.print(to, all, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "TENANT\tAGENT\tTOKENS\tCONVERSATIONS\tLAST USED")
		for _, a := range all {
			fmt.Fprintf(t, "%s\t%q\t%d\t%d\t%s ago\n", a.Tenant, a.ID, a.Tokens, len(a.Conversations), age(a.Used))
		}
	})
}

// named are the arguments that name an agent.
type named struct {
	remote
	ID     string `arg:"" help:"The agent's id."`
	Tenant string `default:"default" help:"Whose agent it is."`
}

type agentsShow struct{ named }

// Run prints the agent.
func (c agentsShow) Run(ctx context.Context, cfg *config.Config, to streams) error {
	var a agentInfo
	if err := c.call(ctx, cfg, http.MethodGet, agentPath(c.Tenant, c.ID), nil, &a); err != nil {
		return err
	}
	return c.print(to, a, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "agent\t%q of %s\ncreated\t%s ago\nlast used\t%s ago\ntokens\t%d\n", a.ID, a.Tenant, age(a.Created), age(a.Used), a.Tokens)
		if a.RetainUntil != nil {
			fmt.Fprintf(t, "retained\tfor %s\n", time.Until(*a.RetainUntil).Round(time.Second))
		}
		fmt.Fprintln(t, "\nTIER\tBLOCKS\tBYTES\tTOKENS\tDURABLE TOKENS")
		for _, h := range a.Tiers {
			fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\n", h.Tier, h.Blocks, size(h.Bytes), h.Tokens, h.Durable)
		}
	})
}

// move asks for an operation on an agent and prints what moved.
func (c named) move(ctx context.Context, cfg *config.Config, to streams, operation string, body any) error {
	var moved movedInfo
	if err := c.call(ctx, cfg, http.MethodPost, agentPath(c.Tenant, c.ID)+"/"+operation, body, &moved); err != nil {
		return err
	}
	return c.printMoved(to, moved)
}

func (r remote) printMoved(to streams, moved movedInfo) error {
	return r.print(to, moved, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "%d blocks, %s\n", moved.Blocks, size(moved.Bytes))
	})
}

type agentsEvict struct {
	named
	To string `enum:"disk,object" default:"disk" help:"disk, or object for object storage."`
}

// Run evicts the agent.
func (c agentsEvict) Run(ctx context.Context, cfg *config.Config, to streams) error {
	return c.move(ctx, cfg, to, "evict", map[string]string{"to": c.To})
}

type agentsPrefetch struct{ named }

// Run prefetches the agent.
func (c agentsPrefetch) Run(ctx context.Context, cfg *config.Config, to streams) error {
	return c.move(ctx, cfg, to, "prefetch", struct{}{})
}

type agentsRetain struct {
	named
	For time.Duration `required:"" help:"How long, e.g. 2h; 0 ends the retention."`
}

// Run retains the agent.
func (c agentsRetain) Run(ctx context.Context, cfg *config.Config, to streams) error {
	var a agentInfo
	body := map[string]float64{"ttl_seconds": c.For.Seconds()}
	if err := c.call(ctx, cfg, http.MethodPost, agentPath(c.Tenant, c.ID)+"/retain", body, &a); err != nil {
		return err
	}
	return c.print(to, a, func(t *tabwriter.Writer) {
		if a.RetainUntil == nil {
			fmt.Fprintln(t, "not retained")
			return
		}
		fmt.Fprintf(t, "retained until %s\n", a.RetainUntil.Format(time.RFC3339))
	})
}

type agentsDelete struct{ named }

// operationInfo is work that goes on in the server.
type operationInfo struct {
	ID     string `json:"operation_id"`
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
	movedInfo
}

// Run deletes the agent and waits until that is done.
func (c agentsDelete) Run(ctx context.Context, cfg *config.Config, to streams) error {
	var op operationInfo
	if err := c.call(ctx, cfg, http.MethodDelete, agentPath(c.Tenant, c.ID), nil, &op); err != nil {
		return err
	}
	op, err := c.await(ctx, cfg, op)
	if err != nil {
		return err
	}
	if op.Error != "" {
		return fmt.Errorf("agent %q is deleted, but not all of its blocks are removed yet: %s; the server tries again until they are, see /admin/agents/operations/%s", c.ID, op.Error, op.ID)
	}
	return c.printMoved(to, op.movedInfo)
}

// await waits until an operation is done, or its last attempt failed.
func (r remote) await(ctx context.Context, cfg *config.Config, op operationInfo) (operationInfo, error) {
	for op.Status == "running" && op.Error == "" {
		select {
		case <-ctx.Done():
			return op, fmt.Errorf("wait for the deletion %s: %w", op.ID, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
		if err := r.call(ctx, cfg, http.MethodGet, "/admin/agents/operations/"+op.ID, nil, &op); err != nil {
			return op, err
		}
	}
	return op, nil
}

type poolCommand struct {
	Show  poolShow  `cmd:"" default:"withargs" help:"Show the pool and the tiers below it."`
	Evict poolEvict `cmd:"" help:"Take idle blocks out of the pool."`
	Flush poolFlush `cmd:"" help:"Store what no lower tier has yet."`
	Trim  poolTrim  `cmd:"" help:"Free every idle block that a lower tier has."`
}

type poolShow struct{ remote }

// poolInfo is the pool as the server tells it.
type poolInfo struct {
	Budget      int64      `json:"budget_bytes"`
	Resident    int64      `json:"resident_bytes"`
	Busy        int64      `json:"busy_bytes"`
	Pending     int64      `json:"pending_bytes"`
	Blocks      int        `json:"blocks"`
	Utilization float64    `json:"utilization"`
	Tiers       []tierInfo `json:"tiers"`
}

type tierInfo struct {
	Name     string `json:"tier"`
	State    string `json:"state"`
	Problem  string `json:"problem,omitempty"`
	Indexing bool   `json:"indexing"`
	Blocks   int    `json:"blocks"`
	Bytes    int64  `json:"bytes"`
	Budget   int64  `json:"budget_bytes"`
}

// Run prints the figures.
func (c poolShow) Run(ctx context.Context, cfg *config.Config, to streams) error {
	var p poolInfo
	if err := c.call(ctx, cfg, http.MethodGet, "/admin/pool", nil, &p); err != nil {
		return err
	}
	return c.print(to, p, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "TIER\tSTATE\tBLOCKS\tIN USE\tBUDGET\tUTILISATION")
		fmt.Fprintf(t, "pool\t\t%d\t%s\t%s\t%s\n", p.Blocks, size(p.Resident), size(p.Budget), strconv.FormatFloat(p.Utilization, 'f', 3, 64))
		for _, tier := range p.Tiers {
			if tier.Budget == 0 { // a bucket counts nothing
				fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t\n", tier.Name, tier.State)
			} else {
				fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t\n", tier.Name, tier.State, tier.Blocks, size(tier.Bytes), size(tier.Budget))
			}
			if tier.Problem != "" {
				fmt.Fprintln(t, tier.Problem)
			}
		}
	})
}

type poolEvict struct {
	remote
	MB    int64         `name:"mb" xor:"what" required:"" help:"At least so many megabytes (2^20 bytes)."`
	Older time.Duration `name:"older-than" xor:"what" required:"" help:"What nobody used for so long."`
}

// Run evicts blocks.
func (c poolEvict) Run(ctx context.Context, cfg *config.Config, to streams) error {
	body := map[string]any{"bytes": c.MB << 20}
	if c.Older > 0 {
		body = map[string]any{"older_than_seconds": c.Older.Seconds()}
	}
	return c.pull(ctx, cfg, to, "evict", body)
}

type poolFlush struct{ remote }

// Run flushes the pool.
func (c poolFlush) Run(ctx context.Context, cfg *config.Config, to streams) error {
	return c.pull(ctx, cfg, to, "flush", struct{}{})
}

type poolTrim struct{ remote }

// Run trims the pool.
func (c poolTrim) Run(ctx context.Context, cfg *config.Config, to streams) error {
	return c.pull(ctx, cfg, to, "trim", struct{}{})
}

// pull uses one of the pool's levers and prints what moved.
func (r remote) pull(ctx context.Context, cfg *config.Config, to streams, lever string, body any) error {
	var moved movedInfo
	if err := r.call(ctx, cfg, http.MethodPost, "/admin/pool/"+lever, body, &moved); err != nil {
		return err
	}
	return r.printMoved(to, moved)
}
