// Package tier has what can be put around any tier: each file is one wrapper. What a wrapper does not do itself is found
// in the tier that it wraps (kv.As).
package tier

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Running is a tier with work of its own.
type Running interface {
	kv.Tier
	// Run does the tier's work until ctx ends.
	Run(ctx context.Context) error
	// Close gives back what the tier holds. Run must have returned.
	Close() error
}

// LateConfig describes a tier that may not be there yet.
type LateConfig struct {
	Name    string
	Budget  int64                   // bytes, for Status
	Open    func() (Running, error) // tried until it works
	IsFinal func(error) bool        // whether trying again can't help
	Advise  func(error) string      // what to do about a failure
	Log     *slog.Logger
	WaitMin time.Duration // to the second attempt
	WaitMax time.Duration // it doubles up to here
}

// Late is a tier that can't be opened yet: it has nothing and takes nothing until it can.
type Late struct {
	cfg     LateConfig
	opened  atomic.Pointer[Running]
	problem atomic.Pointer[string]
}

var _ kv.Wrapper = (*Late)(nil)

// OpenLate opens a tier now or, when that does not work, later. A final failure is an error at once.
func OpenLate(cfg LateConfig) (*Late, error) {
	l := &Late{cfg: cfg}
	err := l.try()
	if err != nil && cfg.IsFinal(err) {
		return nil, err
	}
	if err != nil {
		cfg.Log.Warn(cfg.Name+"_tier_degraded", "error", err.Error(), "advice", cfg.Advise(err))
	}
	return l, nil
}

func (l *Late) try() error {
	opened, err := l.cfg.Open()
	if err != nil {
		problem := fmt.Sprintf("%v; %s", err, l.cfg.Advise(err))
		l.problem.Store(&problem)
		return err
	}
	l.opened.Store(&opened)
	return nil
}

// Run opens the tier as soon as that works, and then does its work until ctx ends.
func (l *Late) Run(ctx context.Context) error {
	for wait := l.cfg.WaitMin; l.inner() == nil; wait = min(2*wait, l.cfg.WaitMax) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		if l.try() == nil {
			l.cfg.Log.Info(l.cfg.Name+"_tier_healed", "note", "blocks are stored from now on")
		}
	}
	return l.inner().Run(ctx)
}

// Close gives back what the tier holds.
func (l *Late) Close() error {
	if t := l.inner(); t != nil {
		return t.Close()
	}
	return nil
}

// inner is the tier, or nil while it could not be opened.
func (l *Late) inner() Running {
	if opened := l.opened.Load(); opened != nil {
		return *opened
	}
	return nil
}

// Unwrap implements kv.Wrapper.
func (l *Late) Unwrap() kv.Tier {
	if t := l.inner(); t != nil {
		return t
	}
	return nil
}

// Name implements kv.Tier.
func (l *Late) Name() string { return l.cfg.Name }

// Lookup implements kv.Tier.
func (l *Late) Lookup(ctx context.Context, refs []kv.Ref) ([]kv.Copy, error) {
	if t := l.inner(); t != nil {
		return t.Lookup(ctx, refs)
	}
	return make([]kv.Copy, len(refs)), nil
}

// Get implements kv.Tier.
func (l *Late) Get(ctx context.Context, ref kv.Ref, buf []byte) ([]byte, error) {
	if t := l.inner(); t != nil {
		return t.Get(ctx, ref, buf)
	}
	return nil, kv.ErrNotFound
}

// Put implements kv.Tier.
func (l *Late) Put(ctx context.Context, e kv.Entry, data []byte) error {
	if t := l.inner(); t != nil {
		return t.Put(ctx, e, data)
	}
	return kv.ErrRefused
}

// Delete implements kv.Tier. While the tier can't be opened nothing can be removed.
func (l *Late) Delete(ctx context.Context, ref kv.Ref) error {
	if t := l.inner(); t != nil {
		return t.Delete(ctx, ref)
	}
	return fmt.Errorf("remove block %s: %s", ref.Key, *l.problem.Load())
}

// Status implements kv.Tier.
func (l *Late) Status() kv.TierStatus {
	if t := l.inner(); t != nil {
		return t.Status()
	}
	return kv.TierStatus{Name: l.cfg.Name, Problem: *l.problem.Load(), Budget: l.cfg.Budget}
}
