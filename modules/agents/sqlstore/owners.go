package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/platform/database"
)

// hexList writes keys as the list in JSON that one parameter of a query takes.
func hexList(keys []kv.Key) string {
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = hex.EncodeToString(key[:])
	}
	list, _ := json.Marshal(texts) // strings always can
	return string(list)
}

func keysOf(blocks []kv.Ref) []kv.Key {
	keys := make([]kv.Key, len(blocks))
	for i, block := range blocks {
		keys[i] = block.Key
	}
	return keys
}

// LastUse implements agents.Owners. It prepares no statement: a context that ends just then has its
// connection closed, and closing a statement after its connection panics in the driver.
func (s *SQLite) LastUse(ctx context.Context, blocks []kv.Ref) ([]time.Time, error) {
	latest := make(map[kv.Key]time.Time, len(blocks))
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		return eachBlock(ctx, tx, `SELECT block, max(used) FROM json_each(?) CROSS JOIN owners o ON block = unhex(value)
			JOIN agents a ON a.tenant = o.tenant AND a.id = o.id WHERE typeof(used) = 'integer' GROUP BY block`,
			func(key kv.Key, used int64) { latest[key] = database.At(used) }, hexList(keysOf(blocks)))
	})
	if err != nil {
		return nil, fmt.Errorf("read the last uses of %d blocks: %w", len(blocks), err)
	}
	uses := make([]time.Time, len(blocks))
	for i, block := range blocks {
		uses[i] = latest[block.Key]
	}
	return uses, nil
}

// eachBlock reads rows of a block and a number.
func eachBlock(ctx context.Context, tx *sql.Tx, query string, take func(kv.Key, int64), args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var block []byte
		var n int64
		if err := rows.Scan(&block, &n); err != nil {
			return err
		}
		if len(block) == len(kv.Key{}) {
			take(kv.Key(block), n)
		}
	}
	return rows.Err()
}

// Unowned implements agents.Owners.
func (s *SQLite) Unowned(ctx context.Context, blocks []kv.Ref) (orphans []kv.Ref, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) (err error) {
		orphans, err = findUnowned(ctx, tx, blocks)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for the owners of %d blocks: %w", len(blocks), err)
	}
	return orphans, nil
}

// findUnowned returns those of the blocks that have no owner, each once.
func findUnowned(ctx context.Context, tx *sql.Tx, blocks []kv.Ref) (orphans []kv.Ref, err error) {
	taken := map[kv.Key]bool{}
	err = eachBlock(ctx, tx, `SELECT block, count(*) FROM json_each(?) CROSS JOIN owners ON block = unhex(value) GROUP BY block`,
		func(key kv.Key, _ int64) { taken[key] = true }, hexList(keysOf(blocks)))
	for _, block := range blocks {
		if !taken[block.Key] {
			taken[block.Key] = true
			orphans = append(orphans, block)
		}
	}
	return orphans, err
}

// putOwners writes who came to own a block and who no longer does.
func putOwners(ctx context.Context, tx *sql.Tx, c agents.Change) error {
	r := c.Record
	if _, err := tx.ExecContext(ctx, `DELETE FROM owners WHERE tenant = ? AND id = ? AND (? OR block IN (SELECT unhex(value) FROM json_each(?)))`,
		r.Tenant, r.ID, c.Rewrite, hexList(c.Lost)); err != nil || len(c.Gained) == 0 {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO owners (block, tenant, id) SELECT unhex(value), ?, ? FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`,
		r.Tenant, r.ID, hexList(c.Gained))
	return err
}

// refuseRemoved fails if one of the blocks is being removed.
func (s *SQLite) refuseRemoved(ctx context.Context, tx *sql.Tx, keys []kv.Key) error {
	if len(keys) == 0 {
		return nil
	}
	var removed int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM json_each(?) CROSS JOIN removals ON block = unhex(value) WHERE until > ?`,
		hexList(keys), database.Nanos(s.clock())).Scan(&removed)
	if err == nil && removed > 0 {
		err = agents.ErrRemoving
	}
	return err
}

// DeleteUnowned implements agents.Owners. The lock is a row for each block, so that nobody else waits for the
// removal.
func (s *SQLite) DeleteUnowned(ctx context.Context, operation string, blocks []kv.Ref, remove func(context.Context, []kv.Ref) error) error {
	holder := rand.Text()
	orphans, others, err := s.lock(ctx, operation, holder, blocks)
	if err != nil {
		return fmt.Errorf("lock those of %d blocks that nobody owns: %w", len(blocks), err)
	}
	if len(orphans) > 0 {
		err = s.whileLocked(ctx, holder, func(ctx context.Context) error { return remove(ctx, orphans) })
	}
	if err == nil && others > 0 {
		err = fmt.Errorf("remove %d blocks: %w", others, agents.ErrRemoving)
	}
	return err
}

// whileLocked runs a removal and then ends its lock, also if nobody waits for the removal any more.
func (s *SQLite) whileLocked(ctx context.Context, holder string, remove func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, agents.RemovalPatience)
	defer cancel()
	removed := remove(bounded)
	ctx = context.WithoutCancel(ctx)
	unlocked := s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM removals WHERE holder = ?`, holder)
		return err
	})
	return errors.Join(removed, unlocked)
}

// lock finds the blocks that nobody owns and locks them, but for those that other operations removes now.
func (s *SQLite) lock(ctx context.Context, operation, holder string, blocks []kv.Ref) (orphans []kv.Ref, others int, err error) {
	now := s.clock()
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM removals WHERE until <= ?`, database.Nanos(now)); err != nil {
			return err
		}
		free, err := findUnowned(ctx, tx, blocks)
		if err != nil {
			return err
		}
		busy := map[kv.Key]bool{}
		if err := eachBlock(ctx, tx, `SELECT block, count(*) FROM json_each(?) CROSS JOIN removals ON block = unhex(value)
			WHERE operation <> ? GROUP BY block`, func(key kv.Key, _ int64) { busy[key] = true }, hexList(keysOf(free)), operation); err != nil {
			return err
		}
		for _, block := range free {
			if !busy[block.Key] {
				orphans = append(orphans, block)
			}
		}
		others = len(busy)
		_, err = tx.ExecContext(ctx, `INSERT INTO removals (block, holder, operation, until) SELECT unhex(value), ?, ?, ? FROM json_each(?)`,
			holder, operation, database.Nanos(now.Add(agents.RemovalLock)), hexList(keysOf(orphans)))
		return err
	})
	return orphans, others, err
}
