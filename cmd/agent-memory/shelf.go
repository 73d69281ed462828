package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/models"
)

// shelf has the models that the server may load. It implements models.Shelf and models.Stock.
type shelf struct {
	server   *server
	renderer *prompt.Late

	exchanging sync.Mutex // held while the model and its renderer are exchanged

	mu      sync.Mutex
	current string             // id of the loaded model, "" for none
	shelved map[string]shelved // that were loaded once, by id

	looking sync.Mutex // held while the cache is looked through
	looked  time.Time
	kept    []keptModel // as they were then
}

func newShelf(s *server, renderer *prompt.Late) *shelf {
	return &shelf{server: s, renderer: renderer, current: s.cfg.MLX.ModelID, shelved: map[string]shelved{}}
}

// Available implements models.Shelf.
func (s *shelf) Available() ([]models.AvailableModel, error) {
	kept, err := s.server.deps.kept()
	if err != nil {
		return nil, err
	}
	available := make([]models.AvailableModel, len(kept))
	for i, m := range kept {
		available[i] = models.AvailableModel{
			ID: m.ID, Bytes: m.Bytes, Architecture: m.Architecture, Quantisation: m.Quantisation, Context: m.Context, Problem: m.Problem,
		}
	}
	return available, nil
}

// Current implements models.Shelf.
func (s *shelf) Current() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Load implements models.Shelf. The model is found, and its tokenizer read, while the other one answers still.
func (s *shelf) Load(ctx context.Context, id string, holds bool) error {
	return s.load(ctx, id, func(open engine.Open) error { return s.server.engine.Swap(ctx, open, holds) })
}

// Exchange implements models.Stock. Nothing is loaded where an operator wants no model.
func (s *shelf) Exchange(ctx context.Context, id string) error {
	return s.load(ctx, id, func(open engine.Open) error {
		if err := s.server.engine.Absence(); err != nil {
			return err
		}
		return s.server.engine.Swap(ctx, open, false)
	})
}

func (s *shelf) load(ctx context.Context, id string, swap func(engine.Open) error) error {
	log := s.server.deps.log
	path, err := s.locate(ctx, id)
	if err != nil {
		return findError(id, err)
	}
	text, err := s.server.deps.openText(path, s.server.cfg.MLX.ChatTemplate)
	if err != nil {
		return fmt.Errorf("load %s: %w: %w", id, models.ErrUnfit, err)
	}
	if !s.exchanging.TryLock() {
		return fmt.Errorf("load %s: %w", id, engine.ErrSwapping)
	}
	defer s.exchanging.Unlock()
	log.Info("model_swap_begin", "from", s.Current(), "to", id)
	s.shelve(s.Current())
	err = swap(func(progress func(string, float64)) (engine.Model, error) {
		return openModelWith(s.server.cfg.MLX, s.server.deps, path, text, s.renderer, progress)
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", id, err)
	}
	s.note(id)
	s.shelve(id)
	log.Info("model_swapped", "to", id)
	return nil
}

func (s *shelf) locate(ctx context.Context, id string) (string, error) {
	return s.server.deps.locate(ctx, id, func(phase string, done float64) {
		s.server.deps.log.Debug("model_located", "id", id, "phase", phase, "done", done)
	})
}

// Unload implements models.Shelf. The tokenizer goes too, and what that leaves to Go's collector is given back at once.
func (s *shelf) Unload(ctx context.Context) error {
	id := s.Current()
	if !s.exchanging.TryLock() {
		return fmt.Errorf("unload %s: %w", id, engine.ErrSwapping)
	}
	defer s.exchanging.Unlock()
	s.shelve(id)
	if err := s.server.engine.Unload(ctx); err != nil {
		return fmt.Errorf("unload %s: %w", id, err)
	}
	s.renderer.Unset()
	s.note("")
	debug.FreeOSMemory()
	s.server.deps.log.Info("model_unloaded", "id", id)
	return nil
}

// note notes by which id the loaded model was named, "" for none.
func (s *shelf) note(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = id
}

// findError tells why no model of an id was found. One whose name can't be one is as good as absent.
func findError(id string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("find %s: %w", id, err)
	}
	return fmt.Errorf("find %s: %w: %w", id, fs.ErrNotExist, err)
}
