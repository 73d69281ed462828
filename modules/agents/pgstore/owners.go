package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/database"
)

// ownershipLock is the number of the advisory lock that is shared by who comes to own blocks, and held alone
// by who decides that blocks have no owner. Both hold it for a moment only.
const ownershipLock = 7212_0601_4435_1181

func bytesOf(keys []kv.Key) [][]byte {
	list := make([][]byte, len(keys))
	for i, key := range keys {
		list[i] = key[:]
	}
	return list
}

func keysOf(blocks []kv.Ref) [][]byte {
	list := make([][]byte, len(blocks))
	for i, block := range blocks {
		list[i] = block.Key[:]
	}
	return list
}

// setOf are keys as the database returned them.
func setOf(stored [][]byte) map[kv.Key]bool {
	set := make(map[kv.Key]bool, len(stored))
	for _, key := range stored {
		if len(key) == len(kv.Key{}) {
			set[kv.Key(key)] = true
		}
	}
	return set
}

// LastUse implements agents.Owners.
func (s *Store) LastUse(ctx context.Context, blocks []kv.Ref) ([]time.Time, error) {
	rows, err := queryOne(ctx, s, func(ctx context.Context, q *queries.Queries) ([]queries.LastUsesRow, error) {
		return q.LastUses(ctx, keysOf(blocks))
	})
	if err != nil {
		return nil, fmt.Errorf("read the last uses of %d blocks: %w", len(blocks), err)
	}
	latest := make(map[string]int64, len(rows))
	for _, row := range rows {
		latest[string(row.Block)] = row.Used
	}
	uses := make([]time.Time, len(blocks))
	for i, block := range blocks {
		uses[i] = database.At(latest[string(block.Key[:])])
	}
	return uses, nil
}

// Unowned implements agents.Owners.
func (s *Store) Unowned(ctx context.Context, blocks []kv.Ref) ([]kv.Ref, error) {
	orphans, err := queryOne(ctx, s, func(ctx context.Context, q *queries.Queries) ([]kv.Ref, error) { return findUnowned(ctx, q, blocks) })
	if err != nil {
		return nil, fmt.Errorf("look for the owners of %d blocks: %w", len(blocks), err)
	}
	return orphans, nil
}

// findUnowned returns those of the blocks that have no owner, each once.
func findUnowned(ctx context.Context, q *queries.Queries, blocks []kv.Ref) (orphans []kv.Ref, err error) {
	owned, err := q.Owned(ctx, keysOf(blocks))
	if err != nil {
		return nil, err
	}
	taken := setOf(owned)
	for _, block := range blocks {
		if !taken[block.Key] {
			taken[block.Key] = true
			orphans = append(orphans, block)
		}
	}
	return orphans, nil
}

// putOwners writes who came to own a block and who no longer does.
func putOwners(ctx context.Context, q *queries.Queries, c agents.Change) (err error) {
	r := c.Record
	switch {
	case c.Rewrite:
		err = q.DropAllOwners(ctx, queries.DropAllOwnersParams{Tenant: r.Tenant, ID: r.ID})
	case len(c.Lost) > 0:
		err = q.DropOwners(ctx, queries.DropOwnersParams{Tenant: r.Tenant, ID: r.ID, Blocks: bytesOf(c.Lost)})
	}
	if err != nil || len(c.Gained) == 0 {
		return err
	}
	return q.AddOwners(ctx, queries.AddOwnersParams{Tenant: r.Tenant, ID: r.ID, Blocks: bytesOf(c.Gained)})
}

// refuseRemoved fails if one of the blocks is being removed, and sees to it that none is until the
// transaction ends.
func refuseRemoved(ctx context.Context, q *queries.Queries, keys []kv.Key) error {
	if err := q.LockOwnership(ctx, ownershipLock); err != nil {
		return err
	}
	removed, err := q.CountRemoved(ctx, bytesOf(keys))
	if err == nil && removed > 0 {
		err = agents.ErrRemoving
	}
	return err
}

// DeleteUnowned implements agents.Owners. The lock is a row for each block, so that no transaction is open
// while the removal runs.
func (s *Store) DeleteUnowned(ctx context.Context, operation string, blocks []kv.Ref, remove func(context.Context, []kv.Ref) error) error {
	holder := rand.Text()
	orphans, others, err := lock(ctx, s, operation, holder, blocks)
	if err != nil {
		return fmt.Errorf("lock those of %d blocks that nobody owns: %w", len(blocks), err)
	}
	if len(orphans) > 0 {
		err = whileLocked(ctx, s, holder, func(ctx context.Context) error { return remove(ctx, orphans) })
	}
	if err == nil && others > 0 {
		err = fmt.Errorf("remove %d blocks: %w", others, agents.ErrRemoving)
	}
	return err
}

// whileLocked runs a removal and then ends its lock, also if nobody waits for the removal any more.
func whileLocked(ctx context.Context, s *Store, holder string, remove func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, agents.RemovalPatience)
	defer cancel()
	removed := remove(bounded)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), agents.RemovalLock-agents.RemovalPatience)
	defer stop()
	return errors.Join(removed, s.noteError(queries.New(s.pool).EndRemovals(ctx, holder)))
}

// lock finds the blocks that nobody owns and locks them, but for those that other operations remove now.
func lock(ctx context.Context, s *Store, operation, holder string, blocks []kv.Ref) (orphans []kv.Ref, others int, err error) {
	err = s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		if err := errors.Join(q.LockRemoval(ctx, ownershipLock), q.EndOldRemovals(ctx)); err != nil {
			return err
		}
		free, err := findUnowned(ctx, q, blocks)
		if err != nil {
			return err
		}
		theirs, err := q.RemovedByOthers(ctx, queries.RemovedByOthersParams{Blocks: keysOf(free), Operation: operation})
		if err != nil {
			return err
		}
		busy := setOf(theirs)
		for _, block := range free {
			if !busy[block.Key] {
				orphans = append(orphans, block)
			}
		}
		others = len(busy)
		return q.AddRemovals(ctx, queries.AddRemovalsParams{
			Blocks: keysOf(orphans), Holder: holder, Operation: operation, Seconds: agents.RemovalLock.Seconds(),
		})
	})
	return orphans, others, err
}
