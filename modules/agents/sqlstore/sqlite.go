// Package sqlstore keeps agents' records in SQL databases.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/platform/database"
)

// SQLite keeps records in a database that migrations/sqlite made.
type SQLite struct {
	db     *database.DB
	clock  func() time.Time
	writes chan struct{} // holds the right to write: the file's own lock starves those who wait
}

var _ agents.Store = (*SQLite)(nil)

// NewSQLite takes over the database. The clock tells when the locks of processes that ended are over.
func NewSQLite(db *database.DB, clock func() time.Time) *SQLite {
	s := &SQLite{db, clock, make(chan struct{}, 1)}
	s.writes <- struct{}{}
	return s
}

// Close implements agents.Connection.
func (s *SQLite) Close() error { return s.db.Close() }

// Check implements agents.Connection.
func (s *SQLite) Check() error { return s.db.Check() }

// Rescue implements agents.Connection.
func (s *SQLite) Rescue(ctx context.Context) error { return s.db.Rescue(ctx) }

// Secret implements agents.Secrets.
func (s *SQLite) Secret(ctx context.Context, proposed []byte) (secret []byte, err error) {
	if proposed != nil {
		_, err = s.db.ExecContext(ctx, `INSERT INTO cluster (one, secret) VALUES (1, ?) ON CONFLICT DO NOTHING`, proposed)
	}
	if err == nil {
		err = s.db.QueryRowContext(ctx, `SELECT secret FROM cluster`).Scan(&secret)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, agents.ErrNoSecret
	}
	if err != nil {
		return nil, fmt.Errorf("read the cluster's secret: %w", err)
	}
	return secret, nil
}

// in runs f in a transaction that may write. Nothing counts as written into a file that has lost its name.
func (s *SQLite) in(ctx context.Context, f func(*sql.Tx) error) error {
	select {
	case <-s.writes:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.writes <- struct{}{} }()
	return errors.Join(s.run(ctx, nil, f), s.db.Check())
}

// read runs f in a transaction that only reads: it waits for nobody who writes.
func (s *SQLite) read(ctx context.Context, f func(*sql.Tx) error) error {
	return s.run(ctx, &sql.TxOptions{ReadOnly: true}, f)
}

func (s *SQLite) run(ctx context.Context, how *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, how)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func wrap(doing, tenant, id string, err error) error {
	if err != nil {
		return fmt.Errorf("%s agent %q of tenant %q: %w", doing, id, tenant, err)
	}
	return nil
}
