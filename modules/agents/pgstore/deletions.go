package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/jackc/pgx/v5"
)

// Delete implements agents.Deletions.
func (s *Store) Delete(ctx context.Context, d agents.Deletion) (agents.Deletion, error) {
	if !isText(d.Tenant) || !isText(d.ID) {
		return d, wrap("delete", d.Tenant, d.ID, agents.ErrNotFound)
	}
	before := d.Chains
	err := s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		d.Chains = before
		row, err := q.AgentForUpdate(ctx, queries.AgentForUpdateParams{Tenant: d.Tenant, ID: d.ID})
		if err = notFound(err); err != nil && !(d.UnderWay && errors.Is(err, agents.ErrNotFound)) {
			return err
		}
		if err == nil {
			r := recordOf(row)
			if err := addHeads(ctx, q, &r); err != nil {
				return err
			}
			d.Chains = append(d.Chains, r.Chains()...)
		}
		if err := q.DeleteAgent(ctx, queries.DeleteAgentParams{Tenant: d.Tenant, ID: d.ID}); err != nil {
			return err
		}
		return promise(ctx, q, s.node, d)
	})
	return d, wrap("delete", d.Tenant, d.ID, err)
}

// DeleteTenant implements agents.Deletions.
func (s *Store) DeleteTenant(ctx context.Context, d agents.Deletion) error {
	err := s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		if err := q.DeleteAgents(ctx, d.Tenant); err != nil {
			return err
		}
		return promise(ctx, q, s.node, d)
	})
	if err != nil {
		return fmt.Errorf("delete all of tenant %q: %w", d.Tenant, err)
	}
	return nil
}

// promise stores a deletion that has just begun, of which this node has taken notice, and tells the others.
func promise(ctx context.Context, q *queries.Queries, node string, d agents.Deletion) error {
	if err := q.AddDeletion(ctx, queries.AddDeletionParams{Operation: d.Operation, Tenant: d.Tenant, ID: d.ID, Created: database.Nanos(d.Created)}); err != nil {
		return err
	}
	if err := notice(ctx, q, node, d.Operation, d.Chains); err != nil {
		return err
	}
	return q.Tell(ctx, "deletion")
}

// notice stores that a node took notice, and the chains that it adds.
func notice(ctx context.Context, q *queries.Queries, node, operation string, chains []kv.Chain) error {
	if err := q.Notice(ctx, queries.NoticeParams{Operation: operation, Node: node}); err != nil {
		return err
	}
	stored := make([][]byte, len(chains))
	for i, c := range chains {
		var err error
		if stored[i], err = c.MarshalBinary(); err != nil {
			return err
		}
	}
	return q.AddDeletedChains(ctx, queries.AddDeletedChainsParams{Operation: operation, Chains: stored})
}

// Notice implements agents.Deletions.
func (s *Store) Notice(ctx context.Context, operation string, further []kv.Chain) error {
	err := s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		if err := q.LockDeletion(ctx, operation); err != nil {
			return err
		}
		return notice(ctx, q, s.node, operation, further)
	})
	if err != nil {
		return fmt.Errorf("take notice of deletion %q: %w", operation, err)
	}
	return nil
}

// Deletion implements agents.Deletions.
func (s *Store) Deletion(ctx context.Context, operation string) (d agents.Deletion, err error) {
	row, err := queries.DeletionRow{}, pgx.ErrNoRows
	if isText(operation) {
		row, err = queryOne(ctx, s, func(ctx context.Context, q *queries.Queries) (queries.DeletionRow, error) {
			return q.Deletion(ctx, operation)
		})
	}
	if err != nil {
		return d, fmt.Errorf("read deletion %q: %w", operation, notFound(err))
	}
	return agents.Deletion{
		Operation: row.Operation, Tenant: row.Tenant, ID: row.ID, Created: database.At(row.Created), Ended: database.At(row.Ended), Noticed: true,
		Removed: kv.Moved{Blocks: int(row.Blocks), Bytes: row.Bytes}, Error: row.Error,
	}, nil
}

// Pending implements agents.Deletions.
func (s *Store) Pending(ctx context.Context, endedBefore time.Time) (pending []agents.Deletion, err error) {
	err = s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		pending = nil
		if err := settle(ctx, q, time.Now()); err != nil { // a node may have gone that others waited for
			return err
		}
		if err := q.ForgetDeletions(ctx, database.Nanos(endedBefore)); err != nil {
			return err
		}
		rows, err := q.Pending(ctx, s.node)
		for _, row := range rows {
			d := agents.Deletion{
				Operation: row.Operation, Tenant: row.Tenant, ID: row.ID, Created: database.At(row.Created), Noticed: row.Noticed,
				Removed: kv.Moved{Blocks: int(row.Blocks), Bytes: row.Bytes}, Error: row.Error,
			}
			err = errors.Join(err, addDeletedChains(ctx, q, &d))
			pending = append(pending, d)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the deletions that have not ended: %w", err)
	}
	return pending, nil
}

// settle ends the deletions that every node that lives has done, and forgets what nobody has to do any more.
func settle(ctx context.Context, q *queries.Queries, now time.Time) error {
	if err := q.EndDeletions(ctx, queries.EndDeletionsParams{Now: database.Nanos(now), LiveSeconds: agents.LivesFor.Seconds()}); err != nil {
		return err
	}
	return q.SettleDeletions(ctx)
}

func addDeletedChains(ctx context.Context, q *queries.Queries, d *agents.Deletion) error {
	chains, err := q.DeletedChains(ctx, d.Operation)
	for _, stored := range chains {
		var chain kv.Chain
		if chain.UnmarshalBinary(stored) != nil {
			d.Damaged++
			continue
		}
		d.Chains = append(d.Chains, chain)
	}
	return err
}

// Progress implements agents.Deletions.
func (s *Store) Progress(ctx context.Context, d agents.Deletion) error {
	err := s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		if err := q.LockDeletion(ctx, d.Operation); err != nil { // of two nodes the later one sees that both have done it
			return err
		}
		done := !d.Ended.IsZero()
		if err := q.Confirm(ctx, queries.ConfirmParams{
			Operation: d.Operation, Node: s.node, Done: done, Blocks: int64(d.Removed.Blocks), Bytes: d.Removed.Bytes, Error: d.Error,
		}); err != nil || !done {
			return err
		}
		return settle(ctx, q, d.Ended)
	})
	if err != nil {
		return fmt.Errorf("store the progress of deletion %q: %w", d.Operation, err)
	}
	return nil
}
