package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

type agentsCommand struct {
	List     agentsList     `cmd:"" help:"List agents."`
	Show     agentsShow     `cmd:"" help:"Show an agent and what each tier holds of it."`
	Evict    agentsEvict    `cmd:"" help:"Take an agent's memory out of the pool, once a lower tier has it."`
	Prefetch agentsPrefetch `cmd:"" help:"Bring an agent's memory into the pool."`
	Retain   agentsRetain   `cmd:"" help:"Give an agent's memory up after others for a while."`
	Delete   agentsDelete   `cmd:"" help:"Delete an agent and all blocks that are nobody else's."`
}

// mostListed is how many things one request for a list asks for.
const mostListed = 1000

type agentsList struct {
	remote
	Tenant string `help:"Only this tenant's."`
	Prefix string `help:"Only ids that begin so."`
	Limit  int    `default:"0" help:"At most so many; 0 for all."`
}

// Run prints the agents, page by page.
func (c agentsList) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	all, most := []client.Agent{}, int64(mostListed)
	for query := (client.AdminListAgentsParams{Tenant: unlessEmpty(c.Tenant), Prefix: unlessEmpty(c.Prefix), Limit: &most}); ; {
		page, err := api.AdminListAgentsWithResponse(ctx, &query)
		if err != nil {
			return err
		}
		all = append(all, page.JSON200.Agents...)
		if query.Cursor = page.JSON200.NextCursor; query.Cursor == nil || c.Limit > 0 && len(all) >= c.Limit {
			break
		}
	}
	if c.Limit > 0 {
		all = all[:min(c.Limit, len(all))]
	}
	return c.print(to, all, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "TENANT\tAGENT\tTOKENS\tCONVERSATIONS\tLAST USED")
		for _, a := range all {
			fmt.Fprintf(t, "%s\t%q\t%d\t%d\t%s ago\n", given(a.Tenant), a.Id, a.Tokens, len(a.Conversations), age(a.LastUsedAt))
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
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminGetAgentWithResponse(ctx, c.Tenant, c.ID)
	if err != nil {
		return err
	}
	a := answer.JSON200
	return c.print(to, a, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "agent\t%q of %s\ncreated\t%s ago\nlast used\t%s ago\ntokens\t%d\n", a.Id, given(a.Tenant), age(a.CreatedAt), age(a.LastUsedAt), a.Tokens)
		if a.RetainUntil != nil {
			fmt.Fprintf(t, "retained\tfor %s\n", time.Until(*a.RetainUntil).Round(time.Second))
		}
		fmt.Fprintln(t, "\nTIER\tBLOCKS\tBYTES\tTOKENS\tDURABLE TOKENS")
		for _, h := range given(a.Tiers) {
			fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\n", h.Tier, h.Blocks, size(h.Bytes), h.Tokens, h.DurableTokens)
		}
	})
}

// printMoved prints what moved, and how many other nodes were told to do the same.
func (c named) printMoved(to streams, moved *client.Moved) error {
	return c.print(to, moved, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "%d blocks, %s", moved.Blocks, size(moved.Bytes))
		if n := given(moved.NoRoom); n > 0 {
			fmt.Fprintf(t, "; %d blocks have no room", n)
		}
		if n := given(moved.OtherNodes); n > 0 {
			fmt.Fprintf(t, "; %d other nodes do the same", n)
		}
		fmt.Fprintln(t)
	})
}

type agentsEvict struct {
	named
	To string `enum:"disk,object" default:"disk" help:"disk, or object for object storage."`
}

// Run evicts the agent.
func (c agentsEvict) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	tier := client.AgentEvictionTo(c.To)
	answer, err := api.AdminEvictAgentWithResponse(ctx, c.Tenant, c.ID, client.AgentEviction{To: &tier})
	if err != nil {
		return err
	}
	return c.printMoved(to, answer.JSON200)
}

type agentsPrefetch struct{ named }

// Run prefetches the agent.
func (c agentsPrefetch) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminPrefetchAgentWithResponse(ctx, c.Tenant, c.ID)
	if err != nil {
		return err
	}
	return c.printMoved(to, answer.JSON200)
}

type agentsRetain struct {
	named
	For time.Duration `required:"" help:"How long, e.g. 2h; 0 ends the retention."`
}

// Run retains the agent.
func (c agentsRetain) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminRetainAgentWithResponse(ctx, c.Tenant, c.ID, client.AgentRetention{TtlSeconds: c.For.Seconds()})
	if err != nil {
		return err
	}
	a := answer.JSON200
	return c.print(to, a, func(t *tabwriter.Writer) {
		if a.RetainUntil == nil {
			fmt.Fprintln(t, "not retained")
			return
		}
		fmt.Fprintf(t, "retained until %s\n", a.RetainUntil.Format(time.RFC3339))
	})
}

type agentsDelete struct{ named }

// Run deletes the agent and waits until that is done.
func (c agentsDelete) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminDeleteAgentWithResponse(ctx, c.Tenant, c.ID)
	if err != nil {
		return err
	}
	op, err := awaitOperation(ctx, api, answer.JSON202.OperationId)
	if err != nil {
		return err
	}
	if op.Error != nil {
		return fmt.Errorf("agent %q is deleted, but not all of its blocks are removed yet: %s; the server tries again until they are, see /admin/agents/operations/%s", c.ID, *op.Error, op.OperationId)
	}
	return c.printMoved(to, &client.Moved{Blocks: op.Blocks, Bytes: op.Bytes})
}

// awaitOperation waits until an operation is done, or its last attempt failed.
func awaitOperation(ctx context.Context, api *client.ClientWithResponses, id string) (*client.Operation, error) {
	for {
		answer, err := api.AdminGetOperationWithResponse(ctx, id)
		if err != nil {
			return nil, err
		}
		if op := answer.JSON200; op.Status == client.OperationStatusDone || op.Error != nil {
			return op, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the deletion %s: %w", id, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
