// Package sqlstore keeps API keys in SQLite.
package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/agent-memory/agent-memory/modules/keys"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/database"
)

// SQLite keeps keys in a database that migrations/sqlite made.
type SQLite struct{ db *database.DB }

var _ keys.Store = (*SQLite)(nil)

// NewSQLite uses a database, which whoever opened it closes.
func NewSQLite(db *database.DB) *SQLite { return &SQLite{db} }

const columns = `id, prefix, name, tenant, scopes, created, expires, revoked, used`

type scanner interface{ Scan(...any) error }

func scan(row scanner) (k keys.Key, err error) {
	var scopes string
	var created, expires, revoked, used int64
	err = row.Scan(&k.ID, &k.Prefix, &k.Name, &k.Tenant, &scopes, &created, &expires, &revoked, &used)
	k.Scopes, k.Created, k.Expires = keys.SplitScopes(scopes), database.At(created), database.At(expires)
	k.Revoked, k.Used = database.At(revoked), database.At(used)
	return k, err
}

func revise(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE api_keys_revision SET revision = revision + 1`)
	return err
}

// Create implements keys.Records.
func (s *SQLite) Create(ctx context.Context, k keys.Key, hash auth.Hash) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO api_keys (hash, `+columns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0)`,
			hash[:], k.ID, k.Prefix, k.Name, k.Tenant, keys.JoinScopes(k.Scopes), database.Nanos(k.Created), database.Nanos(k.Expires))
		return errors.Join(err, revise(ctx, tx))
	})
	if err != nil {
		return fmt.Errorf("store API key %s: %w", k.ID, err)
	}
	return nil
}

// Get implements keys.Records.
func (s *SQLite) Get(ctx context.Context, id string) (keys.Key, error) {
	k, err := scan(s.db.QueryRowContext(ctx, `SELECT `+columns+` FROM api_keys WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = keys.ErrNotFound
	}
	if err != nil {
		return k, fmt.Errorf("read API key %q: %w", id, err)
	}
	return k, nil
}

// List implements keys.Records.
func (s *SQLite) List(ctx context.Context, f keys.Filter) (page []keys.Key, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+columns+` FROM api_keys WHERE (? = '' OR tenant = ?) AND id > ? ORDER BY id LIMIT ?`,
		f.Tenant, f.Tenant, f.After, min(f.Limit, math.MaxInt32))
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		k, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("list API keys: %w", err)
		}
		page = append(page, k)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return page, nil
}

// Revoke implements keys.Records.
func (s *SQLite) Revoke(ctx context.Context, id string, at time.Time) (keys.Key, error) {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE api_keys SET revoked = ? WHERE id = ? AND revoked = 0`, database.Nanos(at), id)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err != nil || changed == 0 {
			return err
		}
		return revise(ctx, tx)
	})
	if err != nil {
		return keys.Key{}, fmt.Errorf("revoke API key %q: %w", id, err)
	}
	return s.Get(ctx, id)
}

// Note implements keys.Records.
func (s *SQLite) Note(ctx context.Context, uses map[string]time.Time) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		for id, at := range uses {
			if _, err := tx.ExecContext(ctx, `UPDATE api_keys SET used = max(used, ?) WHERE id = ?`, database.Nanos(at), id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record uses of %d API keys: %w", len(uses), err)
	}
	return nil
}

// Revision implements auth.Directory.
func (s *SQLite) Revision(ctx context.Context) (revision int64, err error) {
	if err = s.db.Check(); err == nil {
		err = s.db.QueryRowContext(ctx, `SELECT revision FROM api_keys_revision`).Scan(&revision)
	}
	if err != nil {
		return 0, fmt.Errorf("ask whether API keys changed: %w", err)
	}
	return revision, nil
}

// Find implements auth.Directory.
func (s *SQLite) Find(ctx context.Context, hash auth.Hash) (auth.Key, error) {
	k, err := scan(s.db.QueryRowContext(ctx, `SELECT `+columns+` FROM api_keys WHERE hash = ? AND revoked = 0`, hash[:]))
	if errors.Is(err, sql.ErrNoRows) {
		err = auth.ErrUnknown
	}
	if err != nil {
		return auth.Key{}, fmt.Errorf("look an API key up: %w", err)
	}
	return k.Auth(), nil
}

// Held implements auth.Directory.
func (s *SQLite) Held(ctx context.Context, ids []string) (held []string, err error) {
	asked, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, `SELECT id FROM api_keys WHERE revoked = 0 AND id IN (SELECT value FROM json_each(?))`, string(asked))
	if err != nil {
		return nil, fmt.Errorf("ask which API keys hold: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("ask which API keys hold: %w", err)
		}
		held = append(held, id)
	}
	return held, rows.Err()
}
