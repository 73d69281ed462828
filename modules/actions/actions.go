// Package actions remembers what operators changed, or tried to: by which key, when, and with which result.
package actions

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Action is a request of an operator that may have changed something.
type Action struct {
	ID        string // in the order of time
	At        time.Time
	Key       string // id of the API key; empty while the server asks for none
	Method    string
	Path      string
	Status    int // of the answer
	RequestID string
}

// Store keeps actions.
type Store interface {
	// Add stores actions, all or none.
	Add(ctx context.Context, actions []Action) error
	// List returns the actions before an id, the latest first; empty: the latest of all.
	List(ctx context.Context, before string, limit int) ([]Action, error)
	// Forget drops the actions of the time before.
	Forget(ctx context.Context, before time.Time) error
}

// Bounds of the journal.
const (
	mostWaiting = 1000                // actions that wait for the database
	writeEvery  = time.Second         // what waits is written
	keptFor     = 90 * 24 * time.Hour // actions are remembered
	endPatience = 2 * time.Second     // for the last ones to be written
)

// Journal takes actions down. It waits for no database: the log has every action at once.
type Journal struct {
	log   *slog.Logger
	store atomic.Pointer[Store]

	writes sync.Mutex // held while actions are written, before mu

	mu      sync.Mutex
	waiting []Action
	lost    int // for which there was no room
}

// New returns a journal that has no store yet.
func New(log *slog.Logger) *Journal { return &Journal{log: log} }

// Use has actions kept in a store, which whoever opened it closes.
func (j *Journal) Use(s Store) { j.store.Store(&s) }

// Note takes an action down.
func (j *Journal) Note(ctx context.Context, a Action) {
	a.At = time.Now().UTC()
	a.ID = fmt.Sprintf("%019d-%s", a.At.UnixNano(), rand.Text()[:8])
	j.log.InfoContext(ctx, "admin_action", "key", a.Key, "method", a.Method, "path", a.Path, "status", a.Status)
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) >= mostWaiting {
		j.lost++
		return
	}
	j.waiting = append(j.waiting, a)
}

// Run writes actions down until ctx ends, and then what is left.
func (j *Journal) Run(ctx context.Context) error {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
			defer cancel()
			j.write(last)
			return nil
		case <-tick.C:
			j.write(ctx)
		}
	}
}

// write stores what waits. If that fails it waits on.
func (j *Journal) write(ctx context.Context) {
	j.writes.Lock()
	defer j.writes.Unlock()
	j.mu.Lock()
	actions, lost := j.waiting, j.lost
	j.mu.Unlock()
	store := j.store.Load()
	if len(actions) == 0 || store == nil {
		return
	}
	if err := (*store).Add(ctx, actions); err != nil {
		j.log.Debug("admin_actions_not_written", "error", err.Error())
		return
	}
	j.mu.Lock()
	j.waiting, j.lost = j.waiting[len(actions):], j.lost-lost
	j.mu.Unlock()
	if lost > 0 {
		j.log.Warn("admin_actions_lost", "count", lost, "note", "there was no room for them while the database was away; the log has them")
	}
	if err := (*store).Forget(ctx, time.Now().Add(-keptFor)); err != nil {
		j.log.Debug("admin_actions_not_forgotten", "error", err.Error())
	}
}
