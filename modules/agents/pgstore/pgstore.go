// Package pgstore keeps agents' records in Postgres, where several nodes share them. The queries are in
// queries.sql; sqlc writes the package queries from them.
package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore/queries"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrReplaced says that the database is no longer the one that was opened: it was emptied, or has another
// secret.
var ErrReplaced = errors.New("the database was emptied or replaced by another")

// Store keeps records in a database that migrations/postgres made.
type Store struct {
	pool       *pgxpool.Pool
	node       string                 // who uses the database
	boot       string                 // drawn for each use
	isJoined   atomic.Bool            // the database knows the node
	secret     atomic.Pointer[[]byte] // of the cluster, as far as known
	isReplaced atomic.Bool            // what answers now is another database
}

var _ agents.Store = (*Store)(nil)

// Open connects to the database and brings its schema up to date. The node is named by what is its own for
// good, such as its folder: it has to remove there what is deleted while it is away.
func Open(ctx context.Context, address, node string, migrations fs.FS) (*Store, error) {
	s := &Store{node: node, boot: rand.Text()}
	pool, err := database.Postgres{URL: address, Migrations: migrations, Connected: s.verify}.Open(ctx)
	if err != nil {
		return nil, err
	}
	s.pool = pool
	return s, nil
}

// Pool is the database for what others keep in it. It is closed with the store.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// verify refuses connections to a database that is not the one that was opened.
func (s *Store) verify(ctx context.Context, conn *pgx.Conn) error {
	want := s.secret.Load()
	if want == nil {
		return nil
	}
	got, err := queries.New(conn).Secret(ctx)
	if isMissing(err) || errors.Is(err, pgx.ErrNoRows) || err == nil && !slices.Equal(got, *want) {
		s.isReplaced.Store(true)
		return ErrReplaced
	}
	return err
}

// isMissing tells whether a statement failed since its tables are gone.
func isMissing(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "42P01" || pgErr.Code == "3F000") // undefined_table, invalid_schema_name
}

// Check implements agents.Connection.
func (s *Store) Check() error {
	if s.isReplaced.Load() {
		return ErrReplaced
	}
	return nil
}

// Rescue implements agents.Connection. What an emptied database held can't be read any more.
func (s *Store) Rescue(context.Context) error { return s.Check() }

// Close implements agents.Connection.
func (s *Store) Close() error {
	leave(s)
	s.pool.Close()
	return nil
}

// Secret implements agents.Secrets.
func (s *Store) Secret(ctx context.Context, proposed []byte) (secret []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	q := queries.New(s.pool)
	if proposed != nil {
		err = q.ProposeSecret(ctx, proposed)
	}
	if err == nil {
		secret, err = q.Secret(ctx)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, agents.ErrNoSecret
	}
	if err != nil {
		return nil, fmt.Errorf("read the cluster's secret: %w", s.noteError(err))
	}
	s.secret.Store(&secret)
	return secret, nil
}

// noteError notes if an error says that the database was replaced, and returns the error.
func (s *Store) noteError(err error) error {
	if isMissing(err) {
		s.isReplaced.Store(true)
	}
	return err
}

// queryTimeout is how long the database may take for one question or transaction. The server gives up
// statements sooner; this is for a network that loses what is sent.
const queryTimeout = 12 * time.Second

// in runs f in a transaction.
func (s *Store) in(ctx context.Context, f func(context.Context, *queries.Queries) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return s.noteError(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return f(ctx, queries.New(tx)) }))
}

// read runs f in a transaction that sees one state of the database.
func read(ctx context.Context, s *Store, f func(context.Context, *queries.Queries) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	how := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return s.noteError(pgx.BeginTxFunc(ctx, s.pool, how, func(tx pgx.Tx) error { return f(ctx, queries.New(tx)) }))
}

// queryOne makes one query outside a transaction.
func queryOne[T any](ctx context.Context, s *Store, query func(context.Context, *queries.Queries) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	answer, err := query(ctx, queries.New(s.pool))
	return answer, s.noteError(err)
}

// isText tells whether the database can hold a name. What it can't hold isn't there.
func isText(name string) bool { return utf8.ValidString(name) && !strings.Contains(name, "\x00") }

func wrap(doing, tenant, id string, err error) error {
	if err != nil {
		return fmt.Errorf("%s agent %q of tenant %q: %w", doing, id, tenant, err)
	}
	return nil
}
