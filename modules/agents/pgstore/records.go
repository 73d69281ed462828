package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/jackc/pgx/v5"
)

func recordOf(row queries.Agent) agents.Record {
	return agents.Record{
		Tenant: row.Tenant, ID: row.ID, Created: database.At(row.Created), Used: database.At(row.Used), RetainUntil: database.At(row.RetainUntil),
		TTL: time.Duration(row.Ttl), Version: row.Version,
	}
}

// addHead adds a conversation to the record. One that can't be read is counted and left out: it is lost, the
// rest is not.
func addHead(r *agents.Record, stored []byte, used int64) {
	var chain kv.Chain
	if chain.UnmarshalBinary(stored) != nil {
		r.Damaged++
		return
	}
	r.Heads = append(r.Heads, agents.Head{Chain: chain, Used: database.At(used)})
}

// Get implements agents.Records.
func (s *Store) Get(ctx context.Context, tenant, id string) (r agents.Record, err error) {
	if !isText(tenant) || !isText(id) {
		return r, wrap("read", tenant, id, agents.ErrNotFound)
	}
	err = read(ctx, s, func(ctx context.Context, q *queries.Queries) error {
		row, err := q.Agent(ctx, queries.AgentParams{Tenant: tenant, ID: id})
		if err != nil {
			return err
		}
		r = recordOf(row)
		return addHeads(ctx, q, &r)
	})
	return r, wrap("read", tenant, id, notFound(err))
}

func addHeads(ctx context.Context, q *queries.Queries, r *agents.Record) error {
	heads, err := q.Heads(ctx, queries.HeadsParams{Tenant: r.Tenant, ID: r.ID})
	for _, head := range heads {
		addHead(r, head.Chain, head.Used)
	}
	return err
}

func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return agents.ErrNotFound
	}
	return err
}

// Put implements agents.Records.
func (s *Store) Put(ctx context.Context, c agents.Change) (version int64, err error) {
	r := c.Record
	err = s.in(ctx, func(ctx context.Context, q *queries.Queries) error {
		if err := refuseUnnoticed(ctx, q, s.node, r); err != nil {
			return err
		}
		if len(c.Gained) > 0 {
			if err := refuseRemoved(ctx, q, c.Gained); err != nil {
				return err
			}
		}
		if err := putAgent(ctx, q, r); err != nil {
			return err
		}
		if err := putOwners(ctx, q, c); err != nil {
			return err
		}
		return putHeads(ctx, q, c)
	})
	return r.Version + 1, wrap("store", r.Tenant, r.ID, err)
}

// refuseUnnoticed fails if the agent was deleted and the node has not taken notice: what it knows of the agent may be
// of before the deletion.
func refuseUnnoticed(ctx context.Context, q *queries.Queries, node string, r agents.Record) error {
	unnoticed, err := q.CountUnnoticed(ctx, queries.CountUnnoticedParams{Tenant: r.Tenant, ID: r.ID, Node: node})
	if err == nil && unnoticed > 0 {
		err = agents.ErrUnnoticed
	}
	return err
}

// putAgent changes the agent's row, if its version is still the one that the change began with.
func putAgent(ctx context.Context, q *queries.Queries, r agents.Record) (err error) {
	var changed int64
	if r.Version == 0 {
		changed, err = q.InsertAgent(ctx, queries.InsertAgentParams{
			Tenant: r.Tenant, ID: r.ID, Created: database.Nanos(r.Created), Used: database.Nanos(r.Used), RetainUntil: database.Nanos(r.RetainUntil), Ttl: int64(r.TTL),
		})
	} else {
		changed, err = q.UpdateAgent(ctx, queries.UpdateAgentParams{
			Tenant: r.Tenant, ID: r.ID, Used: database.Nanos(r.Used), RetainUntil: database.Nanos(r.RetainUntil), Ttl: int64(r.TTL), Version: r.Version,
		})
	}
	if err == nil && changed == 0 {
		err = agents.ErrConflict
	}
	return err
}

// putHeads writes the conversations that changed.
func putHeads(ctx context.Context, q *queries.Queries, c agents.Change) (err error) {
	r := c.Record
	switch {
	case c.Rewrite:
		err = q.DropAllHeads(ctx, queries.DropAllHeadsParams{Tenant: r.Tenant, ID: r.ID})
	case len(c.Dropped) > 0:
		err = q.DropHeads(ctx, queries.DropHeadsParams{Tenant: r.Tenant, ID: r.ID, Heads: bytesOf(c.Dropped)})
	}
	for _, head := range c.Heads {
		if err != nil {
			return err
		}
		err = putHead(ctx, q, r, head)
	}
	return err
}

func putHead(ctx context.Context, q *queries.Queries, r agents.Record, head agents.Head) error {
	chain, err := head.Chain.MarshalBinary()
	if err != nil {
		return err
	}
	key := head.Chain.Head()
	return q.PutHead(ctx, queries.PutHeadParams{Tenant: r.Tenant, ID: r.ID, Head: key[:], Chain: chain, Used: database.Nanos(head.Used)})
}

// List implements agents.Records.
func (s *Store) List(ctx context.Context, f agents.Filter) (page []agents.Record, next agents.Cursor, err error) {
	if !isText(f.Tenant) || !isText(f.Prefix) { // nobody is called so
		return nil, next, nil
	}
	err = read(ctx, s, func(ctx context.Context, q *queries.Queries) error {
		rows, err := list(ctx, q, f)
		if err != nil {
			return err
		}
		if len(rows) > f.Limit {
			rows = rows[:f.Limit]
			next = agents.Cursor{Tenant: rows[f.Limit-1].Tenant, ID: rows[f.Limit-1].ID}
		}
		page, err = withHeads(ctx, q, rows)
		return err
	})
	if err != nil {
		return nil, agents.Cursor{}, fmt.Errorf("list agents: %w", err)
	}
	return page, next, nil
}

// list returns one agent more than asked for, if there is one.
func list(ctx context.Context, q *queries.Queries, f agents.Filter) ([]queries.Agent, error) {
	before, after := int64(math.MaxInt64), int64(math.MinInt64)
	if !f.UsedBefore.IsZero() {
		before = f.UsedBefore.UnixNano()
	}
	if !f.UsedAfter.IsZero() {
		after = f.UsedAfter.UnixNano()
	}
	limit := int32(min(f.Limit+1, math.MaxInt32))
	if f.Tenant == "" {
		return q.ListAll(ctx, queries.ListAllParams{
			AfterTenant: f.After.Tenant, AfterID: f.After.ID, Prefix: f.Prefix, UsedBefore: before, UsedAfter: after, Most: limit,
		})
	}
	p := queries.ListTenantParams{
		Tenant: f.Tenant, First: f.Prefix, Until: afterPrefix(f.Prefix), UsedBefore: before, UsedAfter: after, Most: limit,
	}
	switch {
	case f.After.Tenant == f.Tenant:
		p.After = f.After.ID
	case f.After.Tenant > f.Tenant:
		return nil, nil
	}
	return q.ListTenant(ctx, p)
}

// afterPrefix is the first name behind all that begin with the prefix, or empty if there is none.
func afterPrefix(prefix string) string {
	for prefix != "" {
		last, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch {
		case last == 0xd7ff: // surrogates are no characters
			return prefix + "\ue000"
		case last < utf8.MaxRune:
			return prefix + string(last+1)
		}
	}
	return ""
}

// withHeads makes records of rows in their order. Those of one tenant follow each other, and take one query.
func withHeads(ctx context.Context, q *queries.Queries, rows []queries.Agent) (page []agents.Record, err error) {
	for len(rows) > 0 {
		many := slices.IndexFunc(rows, func(row queries.Agent) bool { return row.Tenant != rows[0].Tenant })
		if many < 0 {
			many = len(rows)
		}
		records, err := ofTenant(ctx, q, rows[:many])
		if err != nil {
			return nil, err
		}
		page, rows = append(page, records...), rows[many:]
	}
	return page, nil
}

// ofTenant makes records of one tenant's rows.
func ofTenant(ctx context.Context, q *queries.Queries, rows []queries.Agent) (records []agents.Record, err error) {
	ids, places := []string{}, map[string]int{}
	for i, row := range rows {
		records, ids = append(records, recordOf(row)), append(ids, row.ID)
		places[row.ID] = i
	}
	heads, err := q.HeadsOfMany(ctx, queries.HeadsOfManyParams{Tenant: rows[0].Tenant, Ids: ids})
	for _, head := range heads {
		addHead(&records[places[head.ID]], head.Chain, head.Used)
	}
	return records, err
}
