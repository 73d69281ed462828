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
	db    *database.DB
	clock func() time.Time
}

var _ agents.Store = (*SQLite)(nil)

// NewSQLite takes over the database. The clock tells when the locks of processes that ended are over.
func NewSQLite(db *database.DB, clock func() time.Time) *SQLite {
	return &SQLite{db, clock}
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

func wrap(doing, tenant, id string, err error) error {
	if err != nil {
		return fmt.Errorf("%s agent %q of tenant %q: %w", doing, id, tenant, err)
	}
	return nil
}
