package agents_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/sqlstore"
	"github.com/agent-memory/agent-memory/platform/database"
)

// tiers removes blocks when it is not out of order, and notes which.
type tiers struct {
	agents.Memory
	mu      sync.Mutex
	failure error
	removed map[kv.Key]bool
}

func (m *tiers) Holdings([]kv.Chain) []kv.Holding { return nil }

func (m *tiers) Forget(context.Context, string, string) ([]kv.Chain, int, error) { return nil, 0, nil }

func (m *tiers) Retain([]kv.Chain, time.Time) {}

func (m *tiers) Busy(context.Context, string, string) bool { return false }

func (m *tiers) Delete(_ context.Context, entries []kv.Ref) (moved kv.Moved, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failure != nil {
		return moved, m.failure
	}
	for _, e := range entries {
		m.removed[e.Key] = true
		moved.Blocks++
	}
	return moved, nil
}

func (m *tiers) breakDown(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failure = err
}

// opener returns what opens the database file.
func opener(t *testing.T, file string) func(context.Context) (agents.Store, error) {
	t.Helper()
	schema, err := fs.Sub(migrations.SQLite, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) (agents.Store, error) {
		db, err := database.OpenSQLite(ctx, file, schema)
		if err != nil {
			return nil, err
		}
		return sqlstore.NewSQLite(db, time.Now), nil
	}
}

// registry runs a registry over the database file until the returned function ends it.
func registry(t *testing.T, file string, memory agents.Memory) (*agents.Registry, func()) {
	t.Helper()
	return run(t, agents.Settings{Open: opener(t, file), Memory: memory, Secret: []byte("secret"), Retry: time.Millisecond})
}

// run runs a registry until the returned function ends it.
func run(t *testing.T, cfg agents.Settings) (*agents.Registry, func()) {
	t.Helper()
	r := agents.NewRegistry(t.Context(), cfg)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	return r, func() { cancel(); running.Wait() }
}

func chain(keys ...byte) (c kv.Chain) {
	for _, key := range keys {
		c.Keys = append(c.Keys, kv.Key{key})
	}
	c.Tokens = len(keys) * kv.BlockTokens
	return c
}

// A process ends after it took a deletion and before it removed a block. The next one keeps the promise,
// except for a block that somebody came to own meanwhile.
func TestADeletionOutlivesTheProcessThatTookIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records.db")
	broken := &tiers{failure: errors.New("the disk is away"), removed: map[kv.Key]bool{}}
	r, end := registry(t, file, broken)
	r.Note("t", "doomed", agents.Use{Chain: chain(1, 2, 3), At: time.Now()})
	d, err := r.Delete(t.Context(), "t", "doomed")
	if err != nil {
		t.Fatal(err)
	}
	told := await(t, r, d.Operation, func(d agents.Deletion) bool { return d.Error != "" })
	if !told.Ended.IsZero() || told.Error != broken.failure.Error() {
		t.Errorf("%+v", told)
	}
	if _, err := r.Get(t.Context(), "t", "doomed"); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("the agent is still known: %v", err)
	}
	r.Note("t", "heir", agents.Use{Chain: chain(1), At: time.Now()})
	end()

	working := &tiers{removed: map[kv.Key]bool{}}
	r, end = registry(t, file, working)
	defer end()
	done := await(t, r, d.Operation, func(d agents.Deletion) bool { return !d.Ended.IsZero() })
	if done.Removed.Blocks != 2 || done.Error != "" || !working.removed[kv.Key{2}] || !working.removed[kv.Key{3}] || working.removed[kv.Key{1}] {
		t.Errorf("%+v, removed %v", done, working.removed)
	}
	if _, err := r.Deletion(t.Context(), "other", d.Operation); !errors.Is(err, agents.ErrNotFound) {
		t.Errorf("another tenant is told of it: %v", err)
	}
}

// What can't be removed now is removed when the tiers work again, without a restart.
func TestADeletionIsTriedAgainUntilItIsDone(t *testing.T) {
	memory := &tiers{failure: errors.New("the disk is away"), removed: map[kv.Key]bool{}}
	r, end := registry(t, filepath.Join(t.TempDir(), "records.db"), memory)
	defer end()
	r.Note("t", "doomed", agents.Use{Chain: chain(1), At: time.Now()})
	d, err := r.Delete(t.Context(), "t", "doomed")
	if err != nil {
		t.Fatal(err)
	}
	await(t, r, d.Operation, func(d agents.Deletion) bool { return d.Error != "" })
	memory.breakDown(nil)
	if done := await(t, r, d.Operation, func(d agents.Deletion) bool { return !d.Ended.IsZero() }); done.Error != "" || !memory.removed[kv.Key{1}] {
		t.Errorf("%+v, removed %v", done, memory.removed)
	}
}

// await waits until a deletion is as wanted.
func await(t *testing.T, r *agents.Registry, operation string, is func(agents.Deletion) bool) agents.Deletion {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		d, err := r.Deletion(t.Context(), "t", operation)
		if err != nil {
			t.Fatal(err)
		}
		if is(d) {
			return d
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("waited in vain: %+v", d)
		}
	}
}
