// Package pgstore keeps API keys in Postgres, where several nodes share them. The queries are in queries.sql;
// sqlc writes the package queries from them.
package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/modules/keys"
	"github.com/agent-memory/agent-memory/modules/keys/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// channel is where nodes tell each other that keys changed.
const channel = "agent_memory_api_keys"

// patience is how long the database may take for one question or transaction.
const patience = 12 * time.Second

// Store keeps keys in a database that migrations/postgres made.
type Store struct{ pool *pgxpool.Pool }

var (
	_ keys.Store   = (*Store)(nil)
	_ keys.Watcher = (*Store)(nil)
)

// New uses a pool of connections, which whoever opened it closes.
func New(pool *pgxpool.Pool) *Store { return &Store{pool} }

// isText tells whether the database can hold a name. What it can't hold isn't there.
func isText(name string) bool { return utf8.ValidString(name) && !strings.Contains(name, "\x00") }

func keyOf(row queries.ApiKey) keys.Key {
	return keys.Key{
		ID: row.ID, Prefix: row.Prefix, Name: row.Name, Tenant: row.Tenant, Scopes: keys.SplitScopes(row.Scopes),
		Created: database.At(row.Created), Expires: database.At(row.Expires), Revoked: database.At(row.Revoked), Used: database.At(row.Used),
	}
}

// change runs f in a transaction that makes a new revision, of which all nodes are told.
func (s *Store) change(ctx context.Context, f func(context.Context, *queries.Queries) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		q := queries.New(tx)
		if changed, err := f(ctx, q); err != nil || !changed {
			return err
		}
		return errors.Join(q.Revise(ctx), q.Tell(ctx, channel))
	})
}

// Create implements keys.Records.
func (s *Store) Create(ctx context.Context, k keys.Key, hash auth.Hash) error {
	err := s.change(ctx, func(ctx context.Context, q *queries.Queries) (bool, error) {
		return true, q.Insert(ctx, queries.InsertParams{
			ID: k.ID, Hash: hash[:], Prefix: k.Prefix, Name: k.Name, Tenant: k.Tenant, Scopes: keys.JoinScopes(k.Scopes),
			Created: database.Nanos(k.Created), Expires: database.Nanos(k.Expires),
		})
	})
	if err != nil {
		return fmt.Errorf("store API key %s: %w", k.ID, err)
	}
	return nil
}

// Get implements keys.Records.
func (s *Store) Get(ctx context.Context, id string) (keys.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := error(keys.ErrNotFound)
	var row queries.ApiKey
	if isText(id) {
		row, err = queries.New(s.pool).Key(ctx, id)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = keys.ErrNotFound
	}
	if err != nil {
		return keys.Key{}, fmt.Errorf("read API key %q: %w", id, err)
	}
	return keyOf(row), nil
}

// List implements keys.Records.
func (s *Store) List(ctx context.Context, f keys.Filter) (page []keys.Key, err error) {
	if !isText(f.Tenant) || !isText(f.After) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var rows []queries.ApiKey
	q, most := queries.New(s.pool), int32(min(f.Limit, math.MaxInt32)) //nolint:gosec // just bounded
	if f.Tenant == "" {
		rows, err = q.List(ctx, queries.ListParams{After: f.After, Most: most})
	} else {
		rows, err = q.ListTenant(ctx, queries.ListTenantParams{Tenant: f.Tenant, After: f.After, Most: most})
	}
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	for _, row := range rows {
		page = append(page, keyOf(row))
	}
	return page, nil
}

// Revoke implements keys.Records.
func (s *Store) Revoke(ctx context.Context, id string, at time.Time) (keys.Key, error) {
	if isText(id) {
		err := s.change(ctx, func(ctx context.Context, q *queries.Queries) (bool, error) {
			changed, err := q.Revoke(ctx, queries.RevokeParams{ID: id, Revoked: database.Nanos(at)})
			return changed > 0, err
		})
		if err != nil {
			return keys.Key{}, fmt.Errorf("revoke API key %q: %w", id, err)
		}
	}
	return s.Get(ctx, id)
}

// Note implements keys.Records.
func (s *Store) Note(ctx context.Context, uses map[string]time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var noted queries.NoteUsesParams
	for id, at := range uses {
		noted.Ids, noted.Uses = append(noted.Ids, id), append(noted.Uses, database.Nanos(at))
	}
	if err := queries.New(s.pool).NoteUses(ctx, noted); err != nil {
		return fmt.Errorf("record uses of %d API keys: %w", len(uses), err)
	}
	return nil
}

// Revision implements auth.Directory.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	revision, err := queries.New(s.pool).Revision(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask whether API keys changed: %w", err)
	}
	return revision, nil
}

// Find implements auth.Directory.
func (s *Store) Find(ctx context.Context, hash auth.Hash) (auth.Key, error) {
	row, err := queries.New(s.pool).Find(ctx, hash[:])
	if errors.Is(err, pgx.ErrNoRows) || err == nil && row.Revoked != 0 {
		err = auth.ErrUnknown
	}
	if err != nil {
		return auth.Key{}, fmt.Errorf("look an API key up: %w", err)
	}
	k := keyOf(row)
	return k.Auth(), nil
}

// Held implements auth.Directory.
func (s *Store) Held(ctx context.Context, ids []string) ([]string, error) {
	held, err := queries.New(s.pool).Held(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("ask which API keys hold: %w", err)
	}
	return held, nil
}

// Watch implements keys.Watcher.
func (s *Store) Watch(ctx context.Context, changed func()) error {
	return database.Listen(ctx, s.pool, channel, changed)
}
