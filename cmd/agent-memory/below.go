package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/disk"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/sqlstore"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Names in the cache folder.
const (
	blocksDir   = "blocks"
	recordsFile = "agent-memory.db"
)

// openDisk opens the tier below the pool, if there is a folder for it.
func (s *server) openDisk(told *telemetry) (err error) {
	c := s.cfg.Agent
	if c.CacheDir == "" {
		return nil
	}
	s.disk, err = disk.OpenLate(disk.Config{
		FS: vfs.OS{}, Dir: filepath.Join(c.CacheDir, blocksDir), Budget: c.DiskBudgetMB << 20, MinFree: c.DiskMinFreeMB << 20,
		TTL: c.TTL, Header: kv.ReadEntry, Log: s.doors.log, Listener: told.disk(),
	})
	return err
}

func (s *server) tiers() []kv.Tier {
	if s.disk == nil {
		return nil
	}
	return []kv.Tier{s.disk}
}

// openRecords returns what opens the store of agents' records in the cache folder.
func openRecords(dir string) func(context.Context) (agents.Store, error) {
	return func(ctx context.Context) (agents.Store, error) {
		if dir == "" {
			return nil, errors.New("SEMANTIC_AGENT_CACHE_DIR: there is no folder for the database")
		}
		schema, err := fs.Sub(migrations.SQLite, "sqlite")
		if err != nil {
			return nil, err
		}
		db, err := database.OpenSQLite(ctx, filepath.Join(dir, recordsFile), schema)
		if err != nil {
			return nil, err
		}
		return sqlstore.NewSQLite(db), nil
	}
}

// noting has the registry told of every conversation that went on.
func (s *server) noting(l engine.Listener) engine.Listener {
	count := l.Finished
	l.Finished = func(f engine.Finished) {
		count(f)
		s.agents.Note(f.Tenant, f.Agent, agents.Use{Chain: f.Chain, From: f.From, At: time.Now().UTC()})
	}
	return l
}

// startBelow runs what the engine stands on. The returned function ends it; the engine must have ended before.
func (s *server) startBelow(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { _ = s.agents.Run(ctx) })
	if s.disk != nil {
		running.Go(func() { _ = s.disk.Run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
		if s.disk == nil {
			return
		}
		if err := s.disk.Close(); err != nil {
			s.doors.log.Warn("disk_close_failed", "error", err)
		}
	}
}
