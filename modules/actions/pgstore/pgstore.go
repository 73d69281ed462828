// Package pgstore keeps operators' actions in Postgres, where several nodes share them. The queries are in
// queries.sql; sqlc writes the package queries from them.
package pgstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/modules/actions"
	"github.com/agent-memory/agent-memory/modules/actions/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/jackc/pgx/v5/pgxpool"
)

// patience is how long the database may take for one question.
const patience = 12 * time.Second

// Store keeps actions in a database that migrations/postgres made.
type Store struct{ pool *pgxpool.Pool }

var _ actions.Store = (*Store)(nil)

// New uses a pool of connections, which whoever opened it closes.
func New(pool *pgxpool.Pool) *Store { return &Store{pool} }

// text is what the database can hold of a text that clients send.
func text(sent string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(sent, "\uFFFD"), "\x00", "\uFFFD")
}

// Add implements actions.Store.
func (s *Store) Add(ctx context.Context, all []actions.Action) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var rows queries.AddParams
	for _, a := range all {
		rows.Ids, rows.Ats, rows.ApiKeys = append(rows.Ids, a.ID), append(rows.Ats, database.Nanos(a.At)), append(rows.ApiKeys, a.Key)
		rows.Methods, rows.Paths = append(rows.Methods, text(a.Method)), append(rows.Paths, text(a.Path))
		rows.Statuses = append(rows.Statuses, int32(a.Status)) //nolint:gosec // a status has three digits
		rows.RequestIds = append(rows.RequestIds, text(a.RequestID))
	}
	if err := queries.New(s.pool).Add(ctx, rows); err != nil {
		return fmt.Errorf("store %d admin actions: %w", len(all), err)
	}
	return nil
}

// List implements actions.Store.
func (s *Store) List(ctx context.Context, before string, limit int) (page []actions.Action, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := queries.New(s.pool).List(ctx, queries.ListParams{Before: text(before), Most: int32(limit)}) //nolint:gosec // pages are small
	if err != nil {
		return nil, fmt.Errorf("list admin actions: %w", err)
	}
	for _, r := range rows {
		page = append(page, actions.Action{
			ID: r.ID, At: database.At(r.At), Key: r.ApiKey, Method: r.Method, Path: r.Path, Status: int(r.Status), RequestID: r.RequestID,
		})
	}
	return page, nil
}

// Forget implements actions.Store.
func (s *Store) Forget(ctx context.Context, before time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := queries.New(s.pool).Forget(ctx, database.Nanos(before)); err != nil {
		return fmt.Errorf("forget old admin actions: %w", err)
	}
	return nil
}
