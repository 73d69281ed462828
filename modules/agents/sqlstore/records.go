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

const columns = `tenant, id, created, used, retain_until, ttl, version`

// scanner is a row.
type scanner interface{ Scan(to ...any) error }

// number is a number in the database, or 0 where somebody wrote something else.
type number struct {
	value   int64
	damaged int
}

// Scan implements sql.Scanner.
func (n *number) Scan(from any) error {
	value, is := from.(int64)
	n.value = value
	if !is {
		n.damaged = 1
	}
	return nil
}

func scan(row scanner) (r agents.Record, err error) {
	var created, used, retain, ttl, version number
	err = row.Scan(&r.Tenant, &r.ID, &created, &used, &retain, &ttl, &version)
	r.Created, r.Used, r.RetainUntil, r.TTL = database.At(created.value), database.At(used.value), database.At(retain.value), time.Duration(ttl.value)
	r.Version = version.value
	r.Damaged = min(1, created.damaged+used.damaged+retain.damaged+ttl.damaged+version.damaged)
	return r, err
}

// Get implements agents.Records.
func (s *SQLite) Get(ctx context.Context, tenant, id string) (r agents.Record, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) (err error) {
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
	return r, heads(ctx, tx, &r)
}

// heads reads the record's conversations. Those that can't be read are counted and left out: they are lost,
// the rest is not.
func heads(ctx context.Context, tx *sql.Tx, r *agents.Record) error {
	rows, err := tx.QueryContext(ctx, `SELECT chain, used FROM heads WHERE tenant = ? AND id = ? ORDER BY used DESC`, r.Tenant, r.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var used number
		chain, damaged, err := scanChain(rows, &used)
		if err != nil {
			return err
		}
		if damaged {
			r.Damaged++
			continue
		}
		r.Heads = append(r.Heads, agents.Head{Chain: chain, Used: database.At(used.value)})
	}
	return rows.Err()
}

// scanChain reads a row that begins with a chain, which may be damaged.
func scanChain(row scanner, more ...any) (chain kv.Chain, damaged bool, err error) {
	var stored any
	if err := row.Scan(append([]any{&stored}, more...)...); err != nil {
		return chain, false, err
	}
	raw, is := stored.([]byte)
	return chain, !is || chain.UnmarshalBinary(raw) != nil, nil
}

// Put implements agents.Records.
func (s *SQLite) Put(ctx context.Context, c agents.Change) (version int64, err error) {
	r := c.Record
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := putAgent(ctx, tx, c); err != nil {
			return err
		}
		if err := s.refuseRemoved(ctx, tx, c.Gained); err != nil {
			return err
		}
		if err := putOwners(ctx, tx, c); err != nil {
			return err
		}
		return putHeads(ctx, tx, c)
	})
	return r.Version + 1, wrap("store", r.Tenant, r.ID, err)
}

// putAgent changes the agent's row, if its version is still the one that the change began with, or one that
// can't be read.
func putAgent(ctx context.Context, tx *sql.Tx, c agents.Change) error {
	r := c.Record
	var result sql.Result
	var err error
	if r.Version == 0 && !c.Rewrite {
		result, err = tx.ExecContext(ctx, `INSERT INTO agents (`+columns+`) VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`,
			r.Tenant, r.ID, database.Nanos(r.Created), database.Nanos(r.Used), database.Nanos(r.RetainUntil), int64(r.TTL))
	} else {
		result, err = tx.ExecContext(ctx, `UPDATE agents SET created = ?, used = ?, retain_until = ?, ttl = ?, version = ?
			WHERE tenant = ? AND id = ? AND (version = ? OR typeof(version) <> 'integer')`,
			database.Nanos(r.Created), database.Nanos(r.Used), database.Nanos(r.RetainUntil), int64(r.TTL), r.Version+1, r.Tenant, r.ID, r.Version)
	}
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return agents.ErrConflict
}

// putHeads writes the conversations that changed.
func putHeads(ctx context.Context, tx *sql.Tx, c agents.Change) error {
	r := c.Record
	if _, err := tx.ExecContext(ctx, `DELETE FROM heads WHERE tenant = ? AND id = ? AND (? OR head IN (SELECT unhex(value) FROM json_each(?)))`,
		r.Tenant, r.ID, c.Rewrite, hexList(c.Dropped)); err != nil {
		return err
	}
	for _, head := range c.Heads {
		chain, err := head.Chain.MarshalBinary()
		if err != nil {
			return err
		}
		key := head.Chain.Head()
		if _, err := tx.ExecContext(ctx, `INSERT INTO heads (tenant, id, head, chain, used) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET chain = excluded.chain, used = excluded.used`,
			r.Tenant, r.ID, key[:], chain, database.Nanos(head.Used)); err != nil {
			return err
		}
	}
	return nil
}

// List implements agents.Records.
func (s *SQLite) List(ctx context.Context, f agents.Filter) (page []agents.Record, next agents.Cursor, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) error {
		page, err = list(ctx, tx, f)
		for i := 0; i < len(page) && err == nil; i++ {
			err = heads(ctx, tx, &page[i])
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
		{!f.UsedBefore.IsZero(), `used < ?`, []any{database.Nanos(f.UsedBefore)}},
		{!f.UsedAfter.IsZero(), `used > ?`, []any{database.Nanos(f.UsedAfter)}},
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
