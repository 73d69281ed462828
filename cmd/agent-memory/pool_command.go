package main

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

type poolCommand struct {
	Show  poolShow  `cmd:"" default:"withargs" help:"Show the pool and the tiers below it."`
	Evict poolEvict `cmd:"" help:"Take idle blocks out of the pool."`
	Flush poolFlush `cmd:"" help:"Store what no lower tier has yet."`
	Trim  poolTrim  `cmd:"" help:"Free every idle block that a lower tier has."`

	Collect poolCollect `cmd:"" help:"Remove from the bucket what no agent owns and nobody stored anew for the time to live."`
}

type poolShow struct{ remote }

// Run prints the figures.
func (c poolShow) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.GetPoolWithResponse(ctx)
	if err != nil {
		return err
	}
	return c.print(to, answer.JSON200, func(t *tabwriter.Writer) { poolTable(t, answer.JSON200) })
}

// poolTable writes the figures of the pool and of the tiers below it.
func poolTable(t *tabwriter.Writer, p *client.PoolState) {
	fmt.Fprintln(t, "TIER\tSTATE\tBLOCKS\tIN USE\tBUDGET\tUTILISATION")
	fmt.Fprintf(t, "pool\t\t%d\t%s\t%s\t%s\n", p.Blocks, size(p.ResidentBytes), size(p.BudgetBytes), strconv.FormatFloat(p.Utilization, 'f', 3, 64))
	for _, tier := range p.Tiers {
		if tier.BudgetBytes == 0 { // a bucket counts nothing
			fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t\n", tier.Tier, tier.State)
		} else {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t\n", tier.Tier, tier.State, tier.Blocks, size(tier.Bytes), size(tier.BudgetBytes))
		}
		if tier.Problem != nil {
			fmt.Fprintln(t, *tier.Problem)
		}
	}
}

type poolEvict struct {
	remote
	MB    int64         `name:"mb" xor:"what" required:"" help:"At least so many megabytes (2^20 bytes)."`
	Older time.Duration `name:"older-than" xor:"what" required:"" help:"What nobody used for so long."`
}

// Run evicts blocks.
func (c poolEvict) Run(ctx context.Context, cfg *config.Config, to streams) error {
	bytes, age := c.MB<<20, c.Older.Seconds()
	what := client.PoolEviction{Bytes: &bytes}
	if c.Older > 0 {
		what = client.PoolEviction{OlderThanSeconds: &age}
	}
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.EvictFromPoolWithResponse(ctx, what)
	if err != nil {
		return err
	}
	return c.printBlocks(to, answer.JSON200)
}

type poolFlush struct{ remote }

// Run flushes the pool.
func (c poolFlush) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.FlushPoolWithResponse(ctx)
	if err != nil {
		return err
	}
	return c.printBlocks(to, answer.JSON200)
}

type poolTrim struct{ remote }

// Run trims the pool.
func (c poolTrim) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.TrimPoolWithResponse(ctx)
	if err != nil {
		return err
	}
	return c.printBlocks(to, answer.JSON200)
}

type poolCollect struct {
	remote
	Count    bool `name:"count" help:"Look only, and remove nothing."`
	AnyShare bool `name:"any-share" help:"Remove them though they are more than a tenth of all blocks."`
}

// Run collects from the bucket.
func (c poolCollect) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminCollectWithResponse(ctx, client.CollectionOrder{CountOnly: &c.Count, AnyShare: &c.AnyShare})
	if err != nil {
		return err
	}
	return c.print(to, answer.JSON200, func(t *tabwriter.Writer) {
		found := answer.JSON200
		fmt.Fprintf(t, "%d blocks, %d of no agent and old; removed %d, %s\n", found.Blocks, found.Orphans, found.RemovedBlocks, size(found.RemovedBytes))
	})
}

// printBlocks prints how many blocks were moved.
func (r remote) printBlocks(to streams, moved *client.MovedBlocks) error {
	return r.print(to, moved, func(t *tabwriter.Writer) { fmt.Fprintf(t, "%d blocks, %s\n", moved.Blocks, size(moved.Bytes)) })
}
