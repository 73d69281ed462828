package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/platform/lifecycle"
)

func untilTold(ctx context.Context) error { <-ctx.Done(); return nil }

// diary notes what happens, and when.
type diary struct {
	began time.Time
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, time.Since(d.began).String()+" "+what)
}

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

func (d *diary) noted() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// lasting is a service that takes a while to end once it is told to.
func (d *diary) lasting(name string, takes time.Duration) lifecycle.Service {
	return lifecycle.Service{Name: name, Run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(takes)
		d.note(name + " ends")
		return nil
	}}
}

// What services stand on runs until they have ended, however they end.
func TestTheFoundationEndsAfterTheServices(t *testing.T) {
	broken := lifecycle.Service{Name: "broken", Run: func(context.Context) error { return errors.New("broken") }}
	for name, c := range map[string]struct {
		further []lifecycle.Service
		want    []string
	}{
		"when the process ends":   {nil, []string{"0s leave", "5s drain", "8s engine ends", "9s disk ends"}},
		"when a service ends":     {[]lifecycle.Service{broken}, []string{"3s engine ends", "4s disk ends"}},
		"when a service is stuck": {[]lifecycle.Service{{Name: "stuck", Run: ignores}}, []string{"0s leave", "5s drain", "8s engine ends", "16s disk ends"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &diary{began: time.Now()}
				cfg := d.config(0)
				cfg.Services = append([]lifecycle.Service{d.lasting("engine", 3*time.Second)}, c.further...)
				cfg.Foundation = []lifecycle.Service{d.lasting("disk", time.Second)}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if !strings.Contains(name, "service ends") {
					cancel()
				}
				if err := lifecycle.Run(ctx, cfg); (err != nil) != strings.Contains(name, "service ends") || !slices.Equal(d.noted(), c.want) {
					t.Errorf("%v, %v", d.lines, err)
				}
				time.Sleep(time.Minute) // until what was left behind has ended
			})
		})
	}
}

// ignores goes on for a minute, whatever it is told.
func ignores(context.Context) error { time.Sleep(time.Minute); return nil }

// An error below is as much of an end as one above.
func TestAFoundationThatEndsStopsTheServices(t *testing.T) {
	for _, end := range []error{errors.New("no folder"), nil} {
		d := &diary{}
		cfg := d.config(0)
		cfg.Foundation = []lifecycle.Service{{Name: "disk", Run: func(context.Context) error { return end }}}
		if err := lifecycle.Run(t.Context(), cfg); err == nil || !strings.HasPrefix(err.Error(), "disk ended") || len(d.lines) != 1 {
			t.Errorf("%v, %v", err, d.lines)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		cfg := (&diary{began: time.Now()}).config(0)
		cfg.Foundation = []lifecycle.Service{{Name: "agents", Run: func(ctx context.Context) error { <-ctx.Done(); return errors.New("records lost") }}}
		if err := lifecycle.Run(ctx, cfg); err == nil || err.Error() != "agents ended: records lost" {
			t.Errorf("%v", err)
		}
	})
}
