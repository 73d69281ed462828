package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/platform/database"
)

// Delete implements agents.Deletions.
func (s *SQLite) Delete(ctx context.Context, d agents.Deletion) (agents.Deletion, error) {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := get(ctx, tx, d.Tenant, d.ID)
		if err != nil && !(d.UnderWay && errors.Is(err, agents.ErrNotFound)) {
			return err
		}
		d.Chains = append(d.Chains, r.Chains()...)
		if _, err := tx.ExecContext(ctx, `DELETE FROM agents WHERE tenant = ? AND id = ?`, d.Tenant, d.ID); err != nil {
			return err
		}
		return promise(ctx, tx, d)
	})
	return d, wrap("delete", d.Tenant, d.ID, err)
}

// DeleteTenant implements agents.Deletions.
func (s *SQLite) DeleteTenant(ctx context.Context, d agents.Deletion) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM agents WHERE tenant = ?`, d.Tenant); err != nil {
			return err
		}
		return promise(ctx, tx, d)
	})
	if err != nil {
		return fmt.Errorf("delete all of tenant %q: %w", d.Tenant, err)
	}
	return nil
}

// promise stores a deletion that has just begun.
func promise(ctx context.Context, tx *sql.Tx, d agents.Deletion) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO deletions (operation, tenant, id, created, ended, blocks, bytes, error)
		VALUES (?, ?, ?, ?, 0, 0, 0, '')`, d.Operation, d.Tenant, d.ID, database.Nanos(d.Created)); err != nil {
		return err
	}
	return putDeletedChains(ctx, tx, d.Operation, 0, d.Chains)
}

func putDeletedChains(ctx context.Context, tx *sql.Tx, operation string, first int, chains []kv.Chain) error {
	for i, c := range chains {
		chain, err := c.MarshalBinary()
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO deleted_chains (operation, number, chain) VALUES (?, ?, ?)`,
			operation, first+i, chain); err != nil {
			return err
		}
	}
	return nil
}

const deletionColumns = `operation, tenant, id, created, ended, blocks, bytes, error`

func scanDeletion(row scanner) (d agents.Deletion, err error) {
	var created, ended, blocks, bytes number
	err = row.Scan(&d.Operation, &d.Tenant, &d.ID, &created, &ended, &blocks, &bytes, &d.Error)
	d.Created, d.Ended, d.Noticed = database.At(created.value), database.At(ended.value), true
	d.Removed = kv.Moved{Blocks: int(blocks.value), Bytes: bytes.value}
	return d, err
}

// Deletion implements agents.Deletions.
func (s *SQLite) Deletion(ctx context.Context, operation string) (agents.Deletion, error) {
	d, err := scanDeletion(s.db.QueryRowContext(ctx, `SELECT `+deletionColumns+` FROM deletions WHERE operation = ?`, operation))
	if errors.Is(err, sql.ErrNoRows) {
		err = agents.ErrNotFound
	}
	if err != nil {
		return d, fmt.Errorf("read deletion %q: %w", operation, err)
	}
	return d, nil
}

// Pending implements agents.Deletions.
func (s *SQLite) Pending(ctx context.Context, endedBefore time.Time) (pending []agents.Deletion, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM deletions WHERE ended > 0 AND ended < ?`, database.Nanos(endedBefore)); err != nil {
			return err
		}
		if pending, err = pendingDeletions(ctx, tx); err != nil {
			return err
		}
		for i := range pending {
			if err := deletedChains(ctx, tx, &pending[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the deletions that have not ended: %w", err)
	}
	return pending, nil
}

func pendingDeletions(ctx context.Context, tx *sql.Tx) (pending []agents.Deletion, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+deletionColumns+` FROM deletions WHERE ended = 0 ORDER BY created`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDeletion(rows)
		if err != nil {
			return nil, err
		}
		pending = append(pending, d)
	}
	return pending, rows.Err()
}

func deletedChains(ctx context.Context, tx *sql.Tx, d *agents.Deletion) error {
	rows, err := tx.QueryContext(ctx, `SELECT chain FROM deleted_chains WHERE operation = ? ORDER BY number`, d.Operation)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		chain, damaged, err := scanChain(rows)
		if err != nil {
			return err
		}
		if damaged {
			d.Damaged++
			continue
		}
		d.Chains = append(d.Chains, chain)
	}
	return rows.Err()
}

// Notice implements agents.Deletions. Who deletes takes notice, and there is no other node.
func (s *SQLite) Notice(ctx context.Context, operation string, further []kv.Chain) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		var there int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM deleted_chains WHERE operation = ?`, operation).Scan(&there); err != nil {
			return err
		}
		return putDeletedChains(ctx, tx, operation, there, further)
	})
	if err != nil {
		return fmt.Errorf("take notice of deletion %q: %w", operation, err)
	}
	return nil
}

// Progress implements agents.Deletions.
func (s *SQLite) Progress(ctx context.Context, d agents.Deletion) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE deletions SET ended = ?, blocks = ?, bytes = ?, error = ? WHERE operation = ?`,
			database.Nanos(d.Ended), d.Removed.Blocks, d.Removed.Bytes, d.Error, d.Operation); err != nil || d.Ended.IsZero() {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM deleted_chains WHERE operation = ?`, d.Operation)
		return err
	})
	if err != nil {
		return fmt.Errorf("store the progress of deletion %q: %w", d.Operation, err)
	}
	return nil
}
