// Package sqlstore keeps operators' actions in SQLite.
package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/modules/actions"
	"github.com/agent-memory/agent-memory/platform/database"
)

// SQLite keeps actions in a database that migrations/sqlite made.
type SQLite struct{ db *database.DB }

var _ actions.Store = (*SQLite)(nil)

// NewSQLite uses a database, which whoever opened it closes.
func NewSQLite(db *database.DB) *SQLite { return &SQLite{db} }

const columns = `id, at, api_key, method, path, status, request_id`

// Add implements actions.Store. An action that is there already was stored by an attempt that seemed to fail.
func (s *SQLite) Add(ctx context.Context, all []actions.Action) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		for _, a := range all {
			if _, err := tx.ExecContext(ctx, `INSERT INTO admin_actions (`+columns+`) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				a.ID, database.Nanos(a.At), a.Key, a.Method, a.Path, a.Status, a.RequestID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store %d admin actions: %w", len(all), err)
	}
	return nil
}

// List implements actions.Store.
func (s *SQLite) List(ctx context.Context, before string, limit int) (page []actions.Action, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+columns+` FROM admin_actions WHERE ? = '' OR id < ? ORDER BY id DESC LIMIT ?`, before, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list admin actions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a actions.Action
		var at int64
		if err := rows.Scan(&a.ID, &at, &a.Key, &a.Method, &a.Path, &a.Status, &a.RequestID); err != nil {
			return nil, fmt.Errorf("read an admin action: %w", err)
		}
		a.At = database.At(at)
		page = append(page, a)
	}
	return page, rows.Err()
}

// Forget implements actions.Store.
func (s *SQLite) Forget(ctx context.Context, before time.Time) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM admin_actions WHERE at < ?`, database.Nanos(before)); err != nil {
		return fmt.Errorf("forget old admin actions: %w", err)
	}
	return nil
}
