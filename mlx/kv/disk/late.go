package disk

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Late is a disk tier whose folder can't be opened yet: it has nothing and takes nothing until it can.
type Late struct {
	cfg     Config
	tier    atomic.Pointer[Tier]
	problem atomic.Pointer[string]
}

var (
	_ kv.Tier      = (*Late)(nil)
	_ kv.Inspector = (*Late)(nil)
)

// OpenLate opens a tier now or, when the folder can't be written, later. A folder that another process has, and a
// configuration that can't be, are errors at once.
func OpenLate(cfg Config) (*Late, error) {
	l := &Late{cfg: cfg}
	if err := l.cfg.complete(); err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	err := l.try()
	if errors.Is(err, vfs.ErrLocked) {
		return nil, err
	}
	if err != nil {
		l.cfg.Log.Warn("disk_tier_degraded", "error", err.Error(), "advice", advise(err))
	}
	return l, nil
}

func (l *Late) try() error {
	t, err := Open(l.cfg)
	if err != nil {
		problem := fmt.Sprintf("%v; %s", err, advise(err))
		l.problem.Store(&problem)
		return err
	}
	l.tier.Store(t)
	return nil
}

// Run opens the folder as soon as that works, and then does the tier's own work until ctx ends.
func (l *Late) Run(ctx context.Context) error {
	for wait := l.cfg.ProbeMin; l.tier.Load() == nil; wait = min(2*wait, l.cfg.ProbeMax) {
		if !sleep(ctx, wait) {
			return nil
		}
		if l.try() == nil {
			l.cfg.Log.Info("disk_tier_healed", "note", "blocks are stored from now on")
		}
	}
	return l.tier.Load().Run(ctx)
}

// Close gives the folder back, as Tier.Close does.
func (l *Late) Close() error {
	if t := l.tier.Load(); t != nil {
		return t.Close()
	}
	return nil
}

// Lookup implements kv.Tier.
func (l *Late) Lookup(ctx context.Context, q kv.Query) ([][]kv.Entry, error) {
	if t := l.tier.Load(); t != nil {
		return t.Lookup(ctx, q)
	}
	return make([][]kv.Entry, len(q.Parents)), nil
}

// Read implements kv.Tier.
func (l *Late) Read(ctx context.Context, e kv.Entry, buf []byte) ([]byte, error) {
	if t := l.tier.Load(); t != nil {
		return t.Read(ctx, e, buf)
	}
	return nil, kv.ErrNotFound
}

// Write implements kv.Tier.
func (l *Late) Write(ctx context.Context, e kv.Entry, data []byte) error {
	if t := l.tier.Load(); t != nil {
		return t.Write(ctx, e, data)
	}
	return kv.ErrRefused
}

// Remove implements kv.Tier. While the folder can't be opened nothing can be removed.
func (l *Late) Remove(ctx context.Context, e kv.Entry) error {
	if t := l.tier.Load(); t != nil {
		return t.Remove(ctx, e)
	}
	return fmt.Errorf("remove block %s: %s", e.Key, *l.problem.Load())
}

// Quarantine implements kv.Tier.
func (l *Late) Quarantine(ctx context.Context, e kv.Entry, cause error) error {
	if t := l.tier.Load(); t != nil {
		return t.Quarantine(ctx, e, cause)
	}
	return nil
}

// Quarantined implements kv.Inspector.
func (l *Late) Quarantined(e kv.Entry) bool {
	t := l.tier.Load()
	return t != nil && t.Quarantined(e)
}

// Keep implements kv.Tier.
func (l *Late) Keep(entries []kv.Entry, until time.Time) {
	if t := l.tier.Load(); t != nil {
		t.Keep(entries, until)
	}
}

// Status implements kv.Tier.
func (l *Late) Status() kv.TierStatus {
	if t := l.tier.Load(); t != nil {
		return t.Status()
	}
	return kv.TierStatus{Name: "disk", Problem: *l.problem.Load(), Budget: l.cfg.Budget}
}
