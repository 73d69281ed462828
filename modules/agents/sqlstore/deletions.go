package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/modules/agents"
)

// Delete implements agents.Store.
func (s *SQLite) Delete(ctx context.Context, d agents.Deletion) (agents.Deletion, error) {
	err := s.in(ctx, func(tx *sql.Tx) error {
		r, err := get(ctx, tx, d.Tenant, d.ID)
		if err != nil {
			return err
		}
		d.Chains = r.Chains()
		if _, err := tx.ExecContext(ctx, `DELETE FROM agents WHERE tenant = ? AND id = ?`, d.Tenant, d.ID); err != nil {
			return err
		}
		return promise(ctx, tx, d)
	})
	return d, wrap("delete", d.Tenant, d.ID, err)
}

// promise stores a deletion that has just begun.
func promise(ctx context.Context, tx *sql.Tx, d agents.Deletion) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO deletions (operation, tenant, id, created, ended, blocks, bytes, error)
		VALUES (?, ?, ?, ?, 0, 0, 0, '')`, d.Operation, d.Tenant, d.ID, nanos(d.Created)); err != nil {
		return err
	}
	for i, c := range d.Chains {
		chain, err := c.MarshalBinary()
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO deleted_chains (operation, number, chain) VALUES (?, ?, ?)`,
			d.Operation, i, chain); err != nil {
			return err
		}
	}
	return nil
}

const deletionColumns = `operation, tenant, id, created, ended, blocks, bytes, error`

func scanDeletion(row scanner) (d agents.Deletion, err error) {
	var created, ended int64
	err = row.Scan(&d.Operation, &d.Tenant, &d.ID, &created, &ended, &d.Removed.Blocks, &d.Removed.Bytes, &d.Error)
	d.Created, d.Ended = at(created), at(ended)
	return d, err
}

// Deletion implements agents.Store.
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

// Pending implements agents.Store.
func (s *SQLite) Pending(ctx context.Context, endedBefore time.Time) (pending []agents.Deletion, err error) {
	err = s.in(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM deletions WHERE ended > 0 AND ended < ?`, nanos(endedBefore)); err != nil {
			return err
		}
		if pending, err = unended(ctx, tx); err != nil {
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

func unended(ctx context.Context, tx *sql.Tx) (pending []agents.Deletion, err error) {
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
		chain, err := scanChain(rows)
		if err != nil {
			return err
		}
		d.Chains = append(d.Chains, chain)
	}
	return rows.Err()
}

// Progress implements agents.Store.
func (s *SQLite) Progress(ctx context.Context, d agents.Deletion) error {
	err := s.in(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE deletions SET ended = ?, blocks = ?, bytes = ?, error = ? WHERE operation = ?`,
			nanos(d.Ended), d.Removed.Blocks, d.Removed.Bytes, d.Error, d.Operation); err != nil || d.Ended.IsZero() {
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
