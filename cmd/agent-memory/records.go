package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/modules/actions"
	actionspg "github.com/agent-memory/agent-memory/modules/actions/pgstore"
	actionssql "github.com/agent-memory/agent-memory/modules/actions/sqlstore"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore"
	"github.com/agent-memory/agent-memory/modules/agents/sqlstore"
	"github.com/agent-memory/agent-memory/modules/keys"
	keyspg "github.com/agent-memory/agent-memory/modules/keys/pgstore"
	keyssql "github.com/agent-memory/agent-memory/modules/keys/sqlstore"
	"github.com/agent-memory/agent-memory/platform/database"
)

// firstPatience is how long the start waits for the database; the server then goes on trying while it runs.
const firstPatience = 10 * time.Second

// openAgents opens the registry of the agents, whose database tells the cluster's secret.
func (s *server) openAgents(held *memory, counters *telemetry) *agents.Registry {
	c, shared, node := s.cfg.Agent, s.cfg.DatabaseURL != "", ""
	if shared {
		node = s.nodeName()
	}
	var opened records // the keys are not asked of a database that turns out to be another cluster's
	settings := agents.Settings{
		Open: func(ctx context.Context) (agents.Store, error) {
			var err error
			if opened, err = openRecords(ctx, s.cfg, node); err != nil {
				return nil, err
			}
			return opened.Store, nil
		},
		Memory: held, MostHot: c.MaxAgentsInMemory,
		TTL: c.TTL, Log: s.deps.log, Secret: s.tenants.secret(), Keeps: s.tenants.keeps, OneSecret: shared,
		Settled: func(secret []byte) {
			s.tenants.settle(secret)
			s.keys.Use(opened.keys)
			s.journal.Use(opened.actions)
			if shared {
				s.keepSecret(secret)
			}
		},
	}
	if s.shared != nil {
		settings.Shared = s.inventory
		settings.Collected = counters.collected
	}
	if shared {
		if kept := s.keptSecret(); kept != nil {
			s.tenants.settle(kept)
			settings.Secret, settings.Known = kept, true
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstPatience)
	defer cancel()
	return agents.NewRegistry(ctx, settings)
}

// withoutSecret is why no requests should be sent to a node that shares a database: it doesn't know the
// cluster's secret, or has another than the database. Empty if all is well.
func (s *server) withoutSecret() string {
	switch {
	case s.cfg.DatabaseURL == "":
		return ""
	case errors.Is(s.agents.Problem(), agents.ErrOtherSecret):
		return "the database has another cluster secret than this node; see cluster_secret_differs in the log"
	case s.agents.Problem() == nil && !s.agents.CaughtUp():
		return "deletions that other nodes took while this one was away are being carried out"
	case !s.tenants.isStored():
		return "the database can't be reached, and this node doesn't know the cluster's secret yet; see database_unavailable in the log"
	}
	return ""
}

// records are what a database keeps.
type records struct {
	agents.Store
	keys    keys.Store
	actions actions.Store
}

// openRecords opens the database that nodes share, which knows this one by a name, or a file in the cache
// folder.
func openRecords(ctx context.Context, cfg config.Config, node string) (records, error) {
	if cfg.DatabaseURL != "" {
		schema, err := fs.Sub(migrations.Postgres, "postgres")
		if err != nil {
			return records{}, err
		}
		store, err := pgstore.Open(ctx, cfg.DatabaseURL, node, schema)
		if err != nil {
			return records{}, err
		}
		return records{store, keyspg.New(store.Pool()), actionspg.New(store.Pool())}, nil
	}
	if cfg.Agent.CacheDir == "" {
		return records{}, errors.New("SEMANTIC_AGENT_CACHE_DIR: there is no folder for the database")
	}
	schema, err := fs.Sub(migrations.SQLite, "sqlite")
	if err != nil {
		return records{}, err
	}
	db, err := database.OpenSQLite(ctx, filepath.Join(cfg.Agent.CacheDir, recordsFile), schema)
	if err != nil {
		return records{}, err
	}
	return records{sqlstore.NewSQLite(db, time.Now), keyssql.NewSQLite(db), actionssql.NewSQLite(db)}, nil
}

type migrateCommand struct{ printed }

// Run applies the migrations that the database lacks.
func (c migrateCommand) Run(ctx context.Context, cfg *config.Config, to streams) error {
	if err := cfg.Complete(); err != nil {
		return err
	}
	store, err := openRecords(ctx, *cfg, "")
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return c.print(to, map[string]string{"status": "up to date"}, func(t *tabwriter.Writer) { fmt.Fprintln(t, "the database is up to date") })
}
