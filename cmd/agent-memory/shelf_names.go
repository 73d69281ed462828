package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/models"
)

// lookEvery is how long what lies in the hub's cache is not looked through again for requests that name models: each look opens
// every model's files.
const lookEvery = 5 * time.Second

// shelved is a model that is or was loaded. Requests may name it, wherever its files lie.
type shelved struct {
	id, name string
	context  int
}

// newSwitch has requests choose among the models of a shelf. They wait no longer for one than for a slot.
func newSwitch(cfg config.Server, stock models.Stock, log *slog.Logger) *models.Switch {
	return models.NewSwitch(models.SwitchConfig{
		Stock: stock, MostWaiting: cfg.MaxQueue, MaxWait: time.Duration(cfg.MaxWaitSeconds) * time.Second, Clock: time.Now, Log: log,
	})
}

// shelve remembers the loaded model, whose id that is.
func (s *shelf) shelve(id string) {
	spec := s.server.engine.Spec()
	if id == "" || spec.Name == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shelved[id] = shelved{id, spec.Name, spec.Context}
}

// Resolve implements models.Stock. A model is named by its id, and one that is or was loaded also as its answers name it.
func (s *shelf) Resolve(ctx context.Context, name string) (id string, err error) {
	current := s.Current()
	if current != "" && (name == current || name == s.server.engine.Spec().Name) {
		return current, nil
	}
	if id = s.shelvedAs(name); id != "" {
		return id, nil
	}
	for _, m := range s.keptLately() {
		if m.ID == name && m.Problem == "" {
			return s.sameAsCurrent(ctx, m, current), nil
		}
	}
	return "", fmt.Errorf("find the model %s: %w", name, fs.ErrNotExist)
}

// shelvedAs is the id of a model that was loaded, or "".
func (s *shelf) shelvedAs(name string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, isID := s.shelved[name]; isID {
		return name
	}
	for _, m := range s.shelved {
		if m.name == name && (id == "" || m.id < id) {
			id = m.id
		}
	}
	return id
}

// sameAsCurrent is the id of a model in the cache: that by which it is loaded, if it is.
func (s *shelf) sameAsCurrent(ctx context.Context, m keptModel, current string) string {
	if current == "" {
		return m.ID
	}
	if path, err := s.locate(ctx, current); err == nil && path == m.Path {
		return current
	}
	return m.ID
}

// keptLately are the models in the hub's cache, as they were a moment ago.
func (s *shelf) keptLately() []keptModel {
	s.looking.Lock()
	defer s.looking.Unlock()
	if now := time.Now(); now.Sub(s.looked) >= lookEvery {
		kept, err := s.server.deps.kept()
		if err != nil {
			s.server.deps.log.Warn("models_not_listed", "error", err)
		}
		s.looked, s.kept = now, kept
	}
	return s.kept
}

// others are the models that a request may name besides the loaded one, and their contexts. Those outside the hub's cache are
// listed by the names of their answers: clients need not know where their files lie.
func (s *shelf) others() (all []engine.Spec) {
	current := s.Current()
	listed := map[string]bool{current: true, s.server.engine.Spec().Name: true}
	add := func(id string, context int) {
		if !listed[id] {
			listed[id] = true
			all = append(all, engine.Spec{Name: id, Context: context})
		}
	}
	for _, m := range s.keptLately() {
		if m.Problem == "" {
			add(m.ID, m.Context)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.shelved)) {
		if m := s.shelved[id]; !listed[id] {
			add(m.name, m.context)
		}
	}
	return all
}
