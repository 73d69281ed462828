package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/jackc/pgx/v5"
)

var _ agents.Shared = (*Store)(nil)

// Beat implements agents.Shared. The first beat makes the node known; one that is new has nothing to do with
// deletions that have ended.
func (s *Store) Beat(ctx context.Context) error {
	err := s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		if err := q.ForgetNodes(ctx, agents.KnownFor.Seconds()); err != nil {
			return err
		}
		if !s.isJoined.Load() {
			return join(ctx, q, s.node, s.boot)
		}
		beaten, err := q.Beat(ctx, queries.BeatParams{ID: s.node, Boot: s.boot})
		if err == nil && beaten == 0 {
			s.isJoined.Store(false) // the next one takes the name back
			err = agents.ErrSameNode
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("tell that this node lives: %w", err)
	}
	s.isJoined.Store(true)
	return nil
}

func join(ctx context.Context, q *queries.Queries, node, boot string) error {
	isNew, err := q.Join(ctx, queries.JoinParams{ID: node, Boot: boot})
	switch {
	case err != nil:
		return err
	case isNew > 0:
		return q.ConfirmEnded(ctx, node)
	}
	if err := q.ForgetCommands(ctx, node); err != nil {
		return err
	}
	return q.Rejoin(ctx, queries.RejoinParams{ID: node, Boot: boot})
}

// leaveTimeout is how long the end of a node waits for the database to be told of it.
const leaveTimeout = 2 * time.Second

// leave tells the database that nobody need wait for this node any more.
func leave(s *Store) {
	if !s.isJoined.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	_ = queries.New(s.pool).Leave(ctx, queries.LeaveParams{ID: s.node, Boot: s.boot, Seconds: agents.LivesFor.Seconds()})
}

// leadershipLock is the number of the advisory lock of the node that leads.
const leadershipLock = 7212_0601_4435_1182

// Lead implements agents.Shared. The lock belongs to a connection, so it ends with the node.
func (s *Store) Lead(ctx context.Context, do func(context.Context)) error {
	leads := false
	conn, err := database.Apart(ctx, s.pool, func(ctx context.Context, conn *pgx.Conn) (err error) {
		leads, err = queries.New(conn).TryLead(ctx, leadershipLock)
		return s.noteError(err)
	})
	if err != nil {
		return fmt.Errorf("ask who leads: %w", err)
	}
	defer database.CloseSoon(ctx, conn)
	if leads {
		do(ctx)
	}
	return nil
}

// Watch implements agents.Shared.
func (s *Store) Watch(ctx context.Context, changed func()) error {
	return database.Listen(ctx, s.pool, "agent_memory", changed)
}
