package pgstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/database"
)

// Send implements agents.Shared.
func (s *Store) Send(ctx context.Context, c agents.Command) (nodes int, err error) {
	err = s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		added, err := q.AddCommand(ctx, queries.AddCommandParams{
			Kind: string(c.Kind), Tenant: c.Tenant, Agent: c.ID, Tier: c.Tier, Until: database.Nanos(c.Until),
			Node: s.node, LiveSeconds: agents.LivesFor.Seconds(),
		})
		if nodes = int(added); err != nil || nodes == 0 {
			return err
		}
		return q.Tell(ctx, "command")
	})
	return nodes, wrap("have the other nodes "+string(c.Kind), c.Tenant, c.ID, err)
}

// Received implements agents.Shared. Commands that are older than CommandsHold are dropped.
func (s *Store) Received(ctx context.Context) (received []agents.Command, err error) {
	rows, err := queryOne(ctx, s, func(ctx context.Context, q *queries.Queries) ([]queries.TakeCommandsRow, error) {
		return q.TakeCommands(ctx, queries.TakeCommandsParams{Node: s.node, LiveSeconds: agents.CommandsHold.Seconds()})
	})
	if err != nil {
		return nil, fmt.Errorf("take the other nodes' commands: %w", err)
	}
	slices.SortFunc(rows, func(a, b queries.TakeCommandsRow) int { return cmp.Compare(a.Number, b.Number) })
	for _, row := range rows {
		if row.Holds {
			received = append(received, agents.Command{
				Kind: agents.CommandKind(row.Kind), Tenant: row.Tenant, ID: row.Agent, Tier: row.Tier, Until: database.At(row.Until),
			})
		}
	}
	return received, nil
}
