package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Bounds that hold unless the URL has others (pool_max_conns, connect_timeout, statement_timeout, ...).
const (
	maxConnections   = 8
	connectTimeout   = 5 * time.Second
	maxConnectionAge = 30 * time.Minute // so that the load follows when servers come and go
	healthCheck      = 15 * time.Second
)

// serverSettings are the times after which the server gives up, in milliseconds, and the way it plans: for
// the values of each query, since one plan for all values of a list's filter would read the whole table.
func serverSettings() map[string]string {
	return map[string]string{
		"statement_timeout": "10000", "lock_timeout": "5000", "idle_in_transaction_session_timeout": "30000",
		"plan_cache_mode": "force_custom_plan",
	}
}

// Postgres are the settings of a database that several nodes share.
type Postgres struct {
	URL        string // postgres://user:password@host/name?...
	Migrations fs.FS
	// Connected is called with every new connection: one that it refuses is not used. It may be nil.
	Connected func(context.Context, *pgx.Conn) error
}

// IsPostgres tells whether a URL names such a database.
func IsPostgres(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
}

// settings reads the URL. Its errors never hold the password.
func (p Postgres) settings() (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(p.URL)
	if err != nil {
		return nil, errors.New("SEMANTIC_DATABASE_URL can't be read; write postgres://user:password@host:port/name?sslmode=require")
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, errors.New("SEMANTIC_DATABASE_URL is no URL")
	}
	if !u.Query().Has("pool_max_conns") {
		cfg.MaxConns = maxConnections
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	cfg.MaxConnLifetime, cfg.HealthCheckPeriod, cfg.AfterConnect = maxConnectionAge, healthCheck, p.Connected
	for name, value := range serverSettings() {
		if _, isSet := cfg.ConnConfig.RuntimeParams[name]; !isSet {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	return cfg, nil
}

// Open connects, applies the migrations that the database lacks, and returns a pool of connections that come
// back by themselves when the database does.
func (p Postgres) Open(ctx context.Context) (*pgxpool.Pool, error) {
	if _, err := p.Migrate(ctx); err != nil {
		return nil, err
	}
	cfg, err := p.settings()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database's pool: %w", err)
	}
	return pool, nil
}

// migrationLock is the number of the advisory lock under which one node after the other migrates.
const migrationLock = 7212_0601_4435_1180

// Migrate applies the migrations that the database lacks and returns the version that it then has. Nodes that
// start at once wait for each other, two minutes at most. A database that a newer version migrated is left as
// it is.
func (p Postgres) Migrate(ctx context.Context) (version int64, err error) {
	cfg, err := p.settings()
	if err != nil {
		return 0, err
	}
	for name := range serverSettings() {
		delete(cfg.ConnConfig.RuntimeParams, name) // a migration may take its time
	}
	db := stdlib.OpenDB(*cfg.ConnConfig)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return 0, fmt.Errorf("connect to the database: %w", err)
	}
	version, err = migratePostgres(ctx, db, p.Migrations)
	if err != nil {
		return 0, fmt.Errorf("migrate the database: %w", err)
	}
	return version, nil
}

func migratePostgres(ctx context.Context, db *sql.DB, migrations fs.FS) (int64, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 120))
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations, goose.WithSessionLocker(locker))
	if err != nil {
		return 0, err
	}
	if _, err := provider.Up(ctx); err != nil {
		return 0, err
	}
	return provider.GetDBVersion(ctx)
}
