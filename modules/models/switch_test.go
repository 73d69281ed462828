package models_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/models"
)

// stock has models whose names are their ids. Each takes a while to load.
type stock struct {
	mu      sync.Mutex
	current string
	swaps   int
	takes   time.Duration
}

func (s *stock) Resolve(_ context.Context, name string) (string, error) {
	if name == "absent" {
		return "", fs.ErrNotExist
	}
	return name, nil
}

func (s *stock) Current() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *stock) Exchange(_ context.Context, id string) error {
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.swaps = id, s.swaps+1
	return nil
}

func newSwitch(s *stock, most int, wait time.Duration) *models.Switch {
	return models.NewSwitch(models.SwitchConfig{Stock: s, MostWaiting: most, MaxWait: wait, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
}

// A model that is asked without a pause gives way to another one whose requests have waited for half a minute, and comes back.
func TestAModelThatIsAlwaysAskedGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shelf := &stock{current: "one", takes: 5 * time.Second}
		choice := newSwitch(shelf, 100, 0)
		ask := func(name string, takes time.Duration) (waited time.Duration) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := time.Now()
			if err := choice.Enter(ctx, name); err != nil || shelf.Current() != name {
				t.Errorf("%s is answered by %s, %v", name, shelf.Current(), err)
			}
			waited = time.Since(began)
			time.Sleep(takes)
			if shelf.Current() != name {
				t.Errorf("%s was swapped under a request", name)
			}
			return waited
		}
		over := time.Now().Add(10 * time.Minute)
		var asking sync.WaitGroup
		for i := range 4 { // two loops for each model, which overlap
			asking.Go(func() {
				time.Sleep(time.Duration(i) * 3 * time.Second)
				for time.Now().Before(over) {
					if waited := ask([]string{"one", "two"}[i%2], 7*time.Second); waited > 90*time.Second {
						t.Errorf("a request waited for %v", waited)
					}
				}
			})
		}
		asking.Wait()
		if shelf.swaps < 10 || shelf.swaps > 20 {
			t.Errorf("%d swaps in ten minutes", shelf.swaps)
		}
	})
}

// The bounds of waiting, and who leaves early, leave nothing behind.
func TestWaitingForAModelIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shelf := &stock{current: "one"}
		choice := newSwitch(shelf, 2, time.Minute)
		busy, answered := context.WithCancel(t.Context())
		if err := choice.Enter(busy, "one"); err != nil {
			t.Fatal(err)
		}
		if err := choice.Enter(busy, "absent"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
		waiting, gone := context.WithCancel(t.Context())
		results := make(chan error, 2)
		go func() { results <- choice.Enter(waiting, "two") }()
		go func() { results <- choice.Enter(t.Context(), "two") }()
		synctest.Wait()
		if err := choice.Enter(t.Context(), "two"); !errors.Is(err, engine.ErrQueueFull) {
			t.Errorf("a third one: %v", err)
		}
		gone()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("a client that left: %v", err)
		}
		if err := <-results; !errors.Is(err, engine.ErrOccupied) {
			t.Errorf("after a minute: %v", err)
		}
		answered()
		synctest.Wait()
		if err := choice.Enter(t.Context(), ""); err != nil || shelf.Current() != "one" || shelf.swaps != 0 {
			t.Errorf("%s after %d swaps, %v", shelf.Current(), shelf.swaps, err)
		}
	})
}
