package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/platform/lifecycle"
)

func untilTold(ctx context.Context) error { <-ctx.Done(); return nil }

// diary notes what happens, and when.
type diary struct {
	began time.Time
	lines []string
}

func (d *diary) note(what string) { d.lines = append(d.lines, time.Since(d.began).String()+" "+what) }

func (d *diary) config(drain time.Duration) lifecycle.Config {
	return lifecycle.Config{
		Services: []lifecycle.Service{{Name: "service", Run: func(ctx context.Context) error {
			defer d.note("service ends")
			return untilTold(ctx)
		}}},
		Leave: func() { d.note("leave") },
		Lag:   5 * time.Second,
		Drain: func(ctx context.Context) error {
			d.note("drain")
			select {
			case <-time.After(drain):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		Patience: 30 * time.Second,
		Grace:    10 * time.Second,
		Log:      slog.New(slog.DiscardHandler),
	}
}

func TestTheEndComesInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		drain time.Duration
		want  []string
	}{
		"work that ends soon":  {2 * time.Second, []string{"0s leave", "5s drain", "7s service ends"}},
		"work that never ends": {time.Hour, []string{"0s leave", "5s drain", "35s service ends"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				d := &diary{began: time.Now()}
				if err := lifecycle.Run(ctx, d.config(c.drain)); err != nil || !slices.Equal(d.lines, c.want) {
					t.Errorf("%v, %v", d.lines, err)
				}
			})
		})
	}
}

func TestAServiceThatEndsStopsTheOthers(t *testing.T) {
	for _, end := range []error{errors.New("broken"), nil} {
		d := &diary{}
		cfg := d.config(0)
		cfg.Services = append(cfg.Services, lifecycle.Service{Name: "engine", Run: func(context.Context) error { return end }})
		err := lifecycle.Run(t.Context(), cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "engine ended") || len(d.lines) != 1 {
			t.Errorf("%v, %v", err, d.lines)
		}
	}
}

func TestAServiceThatDoesNotEndIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		d := &diary{}
		cfg := d.config(0)
		cfg.Services = append(cfg.Services, lifecycle.Service{Name: "engine", Run: func(context.Context) error { <-stuck; return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		if err := lifecycle.Run(ctx, cfg); err != nil || time.Since(began) != 15*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		close(stuck)
	})
}
