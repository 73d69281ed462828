// Package sqlstore keeps agents' records in SQL databases.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// SQLite keeps records in a database that migrations/sqlite made.
type SQLite struct{ db *sql.DB }

var _ agents.Store = (*SQLite)(nil)

// NewSQLite takes over the database.
func NewSQLite(db *sql.DB) *SQLite { return &SQLite{db} }

// Close implements agents.Store.
func (s *SQLite) Close() error { return s.db.Close() }

// Secret implements agents.Store.
func (s *SQLite) Secret(ctx context.Context, proposed []byte) (secret []byte, err error) {
	if _, err = s.db.ExecContext(ctx, `INSERT INTO cluster (one, secret) VALUES (1, ?) ON CONFLICT DO NOTHING`, proposed); err == nil {
		err = s.db.QueryRowContext(ctx, `SELECT secret FROM cluster`).Scan(&secret)
	}
	if err != nil {
		return nil, fmt.Errorf("read the cluster's secret: %w", err)
	}
	return secret, nil
}

const columns = `tenant, id, created, used, retain_until, ttl, version`

// scanner is a row.
type scanner interface{ Scan(to ...any) error }

func scan(row scanner) (r agents.Record, err error) {
	var created, used, retain, ttl int64
	err = row.Scan(&r.Tenant, &r.ID, &created, &used, &retain, &ttl, &r.Version)
	r.Created, r.Used, r.RetainUntil, r.TTL = at(created), at(used), at(retain), time.Duration(ttl)
	return r, err
}

// at is the time of a number in the database, where 0 is the zero time.
func at(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Get implements agents.Store.
func (s *SQLite) Get(ctx context.Context, tenant, id string) (r agents.Record, err error) {
	err = s.in(ctx, func(tx *sql.Tx) (err error) {
		r, err = get(ctx, tx, tenant, id)
		return err
	})
	return r, wrap("read", tenant, id, err)
}

func get(ctx context.Context, tx *sql.Tx, tenant, id string) (agents.Record, error) {
	r, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM agents WHERE tenant = ? AND id = ?`, tenant, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, agents.ErrNotFound
	}
	if err != nil {
		return r, err
	}
	r.Heads, err = heads(ctx, tx, tenant, id)
	return r, err
}

func heads(ctx context.Context, tx *sql.Tx, tenant, id string) (list []agents.Head, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT chain, used FROM heads WHERE tenant = ? AND id = ? ORDER BY used DESC`, tenant, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var used int64
		chain, err := scanChain(rows, &used)
		if err != nil {
			return nil, err
		}
		list = append(list, agents.Head{Chain: chain, Used: at(used)})
	}
	return list, rows.Err()
}

// scanChain reads a row that begins with a chain.
func scanChain(row scanner, more ...any) (chain kv.Chain, err error) {
	var stored []byte
	if err := row.Scan(append([]any{&stored}, more...)...); err != nil {
		return chain, err
	}
	return chain, chain.UnmarshalBinary(stored)
}

// Put implements agents.Store.
func (s *SQLite) Put(ctx context.Context, r agents.Record) (version int64, err error) {
	err = s.in(ctx, func(tx *sql.Tx) error {
		if err := putAgent(ctx, tx, r); err != nil {
			return err
		}
		return putHeads(ctx, tx, r)
	})
	return r.Version + 1, wrap("store", r.Tenant, r.ID, err)
}

func putAgent(ctx context.Context, tx *sql.Tx, r agents.Record) error {
	var result sql.Result
	var err error
	if r.Version == 0 {
		result, err = tx.ExecContext(ctx, `INSERT INTO agents (`+columns+`) VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
			r.Tenant, r.ID, nanos(r.Created), nanos(r.Used), nanos(r.RetainUntil), int64(r.TTL))
	} else {
		result, err = tx.ExecContext(ctx, `UPDATE agents SET used = ?, retain_until = ?, ttl = ?, version = version + 1
			WHERE tenant = ? AND id = ? AND version = ?`,
			nanos(r.Used), nanos(r.RetainUntil), int64(r.TTL), r.Tenant, r.ID, r.Version)
	}
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return agents.ErrConflict
}

func putHeads(ctx context.Context, tx *sql.Tx, r agents.Record) error {
	for _, table := range []string{"heads", "owners"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE tenant = ? AND id = ?`, r.Tenant, r.ID); err != nil {
			return err
		}
	}
	for _, head := range r.Heads {
		chain, err := head.Chain.MarshalBinary()
		if err != nil {
			return err
		}
		key := head.Chain.Head()
		if _, err := tx.ExecContext(ctx, `INSERT INTO heads (tenant, id, head, chain, used) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			r.Tenant, r.ID, key[:], chain, nanos(head.Used)); err != nil {
			return err
		}
		for _, e := range head.Chain.Entries() {
			if _, err := tx.ExecContext(ctx, `INSERT INTO owners (block, tenant, id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
				e.Key[:], r.Tenant, r.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// List implements agents.Store.
func (s *SQLite) List(ctx context.Context, f agents.Filter) (page []agents.Record, next agents.Cursor, err error) {
	err = s.in(ctx, func(tx *sql.Tx) error {
		page, err = list(ctx, tx, f)
		for i := 0; i < len(page) && err == nil; i++ {
			page[i].Heads, err = heads(ctx, tx, page[i].Tenant, page[i].ID)
		}
		return err
	})
	if err != nil {
		return nil, next, fmt.Errorf("list agents: %w", err)
	}
	if len(page) > f.Limit {
		page = page[:f.Limit]
		next = agents.Cursor{Tenant: page[f.Limit-1].Tenant, ID: page[f.Limit-1].ID}
	}
	return page, next, nil
}

// list returns one record more than asked for, if there is one.
func list(ctx context.Context, tx *sql.Tx, f agents.Filter) (page []agents.Record, err error) {
	query, args := `SELECT `+columns+` FROM agents WHERE (tenant, id) > (?, ?)`, []any{f.After.Tenant, f.After.ID}
	for _, condition := range []struct {
		is     bool
		sql    string
		values []any
	}{
		{f.Tenant != "", `tenant = ?`, []any{f.Tenant}},
		{f.Prefix != "", `substr(id, 1, length(?)) = ?`, []any{f.Prefix, f.Prefix}},
		{!f.UsedBefore.IsZero(), `used < ?`, []any{nanos(f.UsedBefore)}},
		{!f.UsedAfter.IsZero(), `used > ?`, []any{nanos(f.UsedAfter)}},
	} {
		if condition.is {
			query += ` AND ` + condition.sql
			args = append(args, condition.values...)
		}
	}
	rows, err := tx.QueryContext(ctx, query+` ORDER BY tenant, id LIMIT ?`, append(args, f.Limit+1)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

// Unowned implements agents.Store.
func (s *SQLite) Unowned(ctx context.Context, entries []kv.Entry) (orphans []kv.Entry, err error) {
	err = s.in(ctx, func(tx *sql.Tx) (err error) {
		orphans, err = unowned(ctx, tx, entries)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for the owners of %d blocks: %w", len(entries), err)
	}
	return orphans, nil
}

// unowned are those of the blocks that have no owner, each once.
func unowned(ctx context.Context, tx *sql.Tx, entries []kv.Entry) (orphans []kv.Entry, err error) {
	seen := map[kv.Key]bool{}
	for _, e := range entries {
		if seen[e.Key] {
			continue
		}
		seen[e.Key] = true
		var owners int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM owners WHERE block = ?`, e.Key[:]).Scan(&owners); err != nil {
			return nil, err
		}
		if owners == 0 {
			orphans = append(orphans, e)
		}
	}
	return orphans, nil
}

// in runs f in a transaction.
func (s *SQLite) in(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
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
