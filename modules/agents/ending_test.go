package agents_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// overtaken is a store whose first write goes on until nobody waits for it any more.
type overtaken struct {
	agents.Store
	once  sync.Once
	began chan struct{}
}

func (s *overtaken) Put(ctx context.Context, c agents.Change) (int64, error) {
	first := false
	s.once.Do(func() { first = true; close(s.began) })
	if first {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return s.Store.Put(ctx, c)
}

// A server that ends in the middle of a write says nothing against the database, and writes the record all the same.
func TestAWriteThatTheEndOvertakesIsNoFailureOfTheDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "records.db")
	open, store := opener(t, file), &overtaken{began: make(chan struct{})}
	var logged strings.Builder
	r, end := run(t, agents.Settings{
		Open: func(ctx context.Context) (agents.Store, error) {
			opened, err := open(ctx)
			store.Store = opened
			return store, err
		},
		Memory: &tiers{removed: map[kv.Key]bool{}}, Secret: []byte("secret"), Retry: time.Millisecond,
		Log: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	r.Note("t", "a", agents.Use{Chain: chain(1), At: at(10)})
	<-store.began
	end()
	if said := logged.String(); strings.Contains(said, "database_unavailable") || strings.Contains(said, "not_written") {
		t.Errorf("the log has %s", said)
	}
	again, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if record, err := again.Get(t.Context(), "t", "a"); err != nil || len(record.Heads) != 1 {
		t.Errorf("%+v, %v", record, err)
	}
}
