package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/mlx/kv/disk"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/platform/lifecycle"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Names in the cache folder.
const (
	blocksDir   = "blocks"
	recordsFile = "agent-memory.db"
)

// openDisk opens the tier below the pool, if there is a folder for it.
func (s *server) openDisk(counters *telemetry) (err error) {
	c := s.cfg.Agent
	if c.CacheDir == "" {
		return nil
	}
	s.warnOfOpenFolders()
	listener := counters.disk()
	listener.Vanished = s.storeVanished
	s.disk, err = disk.OpenLate(disk.Config{
		FS: vfs.OS{}, Dir: filepath.Join(c.CacheDir, blocksDir), Budget: c.DiskBudgetMB << 20, MinFree: c.DiskMinFreeMB << 20,
		Share: float64(c.DiskTenantPercent) / 100,
		TTL:   c.TTL, Header: blockfile.ReadEntry, LastUse: s.lastUse, Log: s.deps.log, Listener: listener,
		Meter: counters.accounts.ledger.Meter("disk"),
	})
	return err
}

// lastUse is when the agents that own blocks were used last.
func (s *server) lastUse(ctx context.Context, blocks []kv.Ref) ([]time.Time, error) {
	return s.agents.LastUse(ctx, blocks)
}

// storeVanished has a block stored again that somebody removed from the disk, if the pool still has it.
func (s *server) storeVanished(ref kv.Ref) {
	if c, err := s.engine.Cache(); err == nil {
		c.Vanished("disk", ref)
	}
}

// tiers are those below the pool, the fastest first.
func (s *server) tiers() (tiers []kv.Tier) {
	if s.disk != nil {
		tiers = append(tiers, s.disk)
	}
	if s.shared != nil {
		tiers = append(tiers, s.shared)
	}
	return tiers
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

// storage is what the engine stands on: it ends after the engine.
func (s *server) storage() []lifecycle.Service {
	services := []lifecycle.Service{{Name: "agents", Run: s.agents.Run}}
	if s.disk != nil {
		services = append(services, lifecycle.Service{Name: "disk", Run: s.runDisk})
	}
	if s.bucket != nil {
		services = append(services, lifecycle.Service{Name: "bucket", Run: s.checkBucket}, lifecycle.Service{Name: "resume", Run: s.resume})
	}
	return services
}

// indexPatience is how long the first request waits at most until the disk's blocks are known: without them a
// conversation would be computed that could be read.
const indexPatience = 5 * time.Second

// awaitDisk waits until the blocks on disk are known, unless the disk can't be used now or takes too long.
func awaitDisk(late *tier.Late, progress func(string, float64), log *slog.Logger) {
	if late == nil || !late.Status().Healthy {
		return
	}
	indexed, is := kv.As[interface {
		WaitIndexed(ctx context.Context) error
	}](late)
	if !is {
		return
	}
	progress("listing the disk", 0)
	ctx, cancel := context.WithTimeout(context.Background(), indexPatience)
	defer cancel()
	if indexed.WaitIndexed(ctx) != nil {
		log.Warn("disk_index_awaited_in_vain", "seconds", indexPatience.Seconds(),
			"note", "requests are taken now; until disk_tier_indexed some conversations may be computed that the disk has")
	}
}

// runDisk runs the disk tier and closes it. A lock that can't be given back is freed by the end of the
// process.
func (s *server) runDisk(ctx context.Context) error {
	err := s.disk.Run(ctx)
	if err := s.disk.Close(); err != nil {
		s.deps.log.Warn("disk_close_failed", "error", err)
	}
	return err
}
