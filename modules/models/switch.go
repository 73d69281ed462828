package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

const (
	// keptFor is how long requests for the loaded model go before those that wait for another one, at most: then they wait
	// too, so that the others' turn comes. Where requests wait for less than twice as long it is half of that.
	keptFor = 30 * time.Second
	// shunnedFor is how long a model is not tried again by requests that could not be loaded: each try stops the loaded one.
	shunnedFor = 10 * time.Minute
)

// Stock is what a Switch takes models from.
type Stock interface {
	// Resolve returns the id of the model that a client's name names, that of Current for the loaded one. It returns
	// fs.ErrNotExist for a name of none.
	Resolve(ctx context.Context, name string) (id string, err error)
	// Current is the id of the loaded model, "" for none.
	Current() string
	// Exchange puts another model in the place of the loaded one. It returns engine.ErrUnloaded where there is none.
	Exchange(ctx context.Context, id string) error
}

// SwitchConfig describes a switch.
type SwitchConfig struct {
	Stock       Stock
	MostWaiting int           // requests
	MaxWait     time.Duration // that a request waits for its model; 0 for no limit
	Clock       func() time.Time
	Log         *slog.Logger
}

// Switch has each request answered by the model that it names, one model after the other. Another one takes the place of the
// loaded one when that answers no request any more, and then answers all that waited for it.
type Switch struct {
	cfg   SwitchConfig
	keeps time.Duration // keptFor, by the settings

	mu         sync.Mutex
	using      int       // requests that the loaded model answers
	waiting    []*waiter // oldest first
	isSwapping bool
	since      time.Time // when the loaded model came
	shunned    map[string]time.Time
}

// waiter is a request that waits for its model.
type waiter struct {
	id    string // "" for whichever is loaded
	since time.Time
	turn  chan error // nil: its model is loaded; errLoads: it is to load it
}

// errLoads has a request load its model.
var errLoads = errors.New("it is this request's turn to load its model")

// NewSwitch returns a switch.
func NewSwitch(cfg SwitchConfig) *Switch {
	s := &Switch{cfg: cfg, keeps: keptFor, shunned: map[string]time.Time{}}
	if cfg.MaxWait > 0 {
		s.keeps = min(keptFor, cfg.MaxWait/2)
	}
	return s
}

// Enter returns once the model that a client names is loaded, which then stays until ctx ends, unless an operator swaps it. The
// name "" stands for whichever is loaded. It returns fs.ErrNotExist for a name of no model, engine.ErrOccupied if its turn did not
// come in time, engine.ErrUnloadable if it can't be loaded.
func (s *Switch) Enter(ctx context.Context, name string) error {
	id := ""
	if name != "" {
		var err error
		if id, err = s.cfg.Stock.Resolve(ctx, name); err != nil {
			return err
		}
	}
	w, err := s.arrive(id)
	if err == nil {
		err = s.await(ctx, w)
	}
	if err == nil {
		context.AfterFunc(ctx, s.leave)
	}
	return err
}

// arrive has a request wait, for no time at all if its model is loaded and no other one's turn.
func (s *Switch) arrive(id string) (*waiter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, isShunned := s.shunned[id]; isShunned && s.cfg.Clock().Sub(at) < shunnedFor {
		return nil, fmt.Errorf("%w: %s, tried at %v", engine.ErrUnloadable, id, at.Format(time.TimeOnly))
	}
	w := &waiter{id, s.cfg.Clock(), make(chan error, 1)}
	s.waiting = append(s.waiting, w)
	s.settle()
	if len(s.waiting) > s.cfg.MostWaiting && s.drop(w) {
		return nil, fmt.Errorf("%w: %d requests wait for other models", engine.ErrQueueFull, s.cfg.MostWaiting)
	}
	return w, nil
}

// await waits for a request's turn, and loads its model if that is to be done.
func (s *Switch) await(ctx context.Context, w *waiter) error {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if s.cfg.MaxWait > 0 {
		bounded, cancel = context.WithTimeoutCause(ctx, s.cfg.MaxWait, engine.ErrOccupied)
	}
	defer cancel()
	var turn error
	select {
	case turn = <-w.turn:
	case <-bounded.Done():
		if s.withdraw(w) {
			return context.Cause(bounded)
		}
		turn = <-w.turn // it came just now
	}
	if turn != errLoads { //nolint:errorlint // it is this one
		return turn
	}
	return s.load(bounded, w)
}

// withdraw takes a request out that waits no longer, and tells whether it still did.
func (s *Switch) withdraw(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	isWaiting := s.drop(w)
	s.settle() // whom it was ahead of
	return isWaiting
}

// drop tells whether the request was waiting. The caller holds mu.
func (s *Switch) drop(w *waiter) bool {
	before := len(s.waiting)
	s.waiting = slices.DeleteFunc(s.waiting, func(other *waiter) bool { return other == w })
	return len(s.waiting) < before
}

// leave notes that a request is answered.
func (s *Switch) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.using--
	s.settle()
}

// Changed notes that an operator loaded or unloaded a model.
func (s *Switch) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.shunned)
	s.since = s.cfg.Clock()
	s.settle()
}

// load has the model of a request loaded, whose turn it is. Those who wait for the same one get it too.
func (s *Switch) load(ctx context.Context, w *waiter) error {
	err := s.cfg.Stock.Exchange(ctx, w.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isSwapping, s.since = false, s.cfg.Clock()
	switch {
	case err == nil:
		s.using++
	case !isPassing(ctx, err):
		s.cfg.Log.Error("model_asked_for_not_loaded", "id", w.id, "error", err, "note", "requests that name it are refused for a while")
		s.shunned[w.id] = s.since
		err = fmt.Errorf("%w: %s", engine.ErrUnloadable, w.id)
		s.refuse(w.id, err)
	}
	s.settle()
	return err
}

// isPassing tells of an error that says nothing of the model.
func isPassing(ctx context.Context, err error) bool {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		return true
	}
	return slices.ContainsFunc([]error{
		engine.ErrSwapping, engine.ErrStarting, engine.ErrUnloaded, engine.ErrDraining, context.Canceled,
	}, func(passing error) bool { return errors.Is(err, passing) })
}

// refuse ends the waiting for a model. The caller holds mu.
func (s *Switch) refuse(id string, err error) {
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		if w.id == id {
			w.turn <- err
		}
		return w.id == id
	})
}

// settle gives turns to those who wait: to all whose model is loaded, unless another one's turn is overdue; and once it answers
// nobody, to the oldest of the others. The caller holds mu.
func (s *Switch) settle() {
	if s.isSwapping {
		return
	}
	current := s.cfg.Stock.Current()
	isForCurrent := func(w *waiter) bool { return w.id == "" || w.id == current }
	next := slices.IndexFunc(s.waiting, func(w *waiter) bool { return !isForCurrent(w) })
	if next < 0 || !s.isOverdue(s.waiting[next]) {
		s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
			if isForCurrent(w) {
				s.using++
				w.turn <- nil
			}
			return isForCurrent(w)
		})
		next = min(next, 0) // only others are left
	}
	if next >= 0 && s.using == 0 {
		loads := s.waiting[next]
		s.drop(loads)
		s.isSwapping = true
		loads.turn <- errLoads
	}
}

// isOverdue tells whether a request has waited for long enough to go before those for the loaded model.
func (s *Switch) isOverdue(w *waiter) bool {
	now := s.cfg.Clock()
	return now.Sub(w.since) >= s.keeps && now.Sub(s.since) >= s.keeps
}
