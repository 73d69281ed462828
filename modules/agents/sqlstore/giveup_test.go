package sqlstore_test

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents/sqlstore"
	"github.com/agent-memory/agent-memory/platform/database"
)

// A caller that gives up while the database is read gets an error, at whatever moment; the process lives on.
func TestACallerMayGiveUpAtAnyMoment(t *testing.T) {
	schema, err := fs.Sub(migrations.SQLite, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "records.db"), schema)
	if err != nil {
		t.Fatal(err)
	}
	store := sqlstore.NewSQLite(db, time.Now)
	defer store.Close()
	refs := make([]kv.Ref, 50)
	for i := range refs {
		refs[i].Key = kv.Key{0: byte(i)}
	}
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, cancel)
				if _, err := store.LastUse(ctx, refs); err != nil && ctx.Err() == nil {
					t.Errorf("caller %d, call %d: %v", caller, i, err)
				}
				cancel()
			}
		})
	}
	callers.Wait()
	if uses, err := store.LastUse(t.Context(), refs); err != nil || len(uses) != len(refs) {
		t.Errorf("%d answers, %v", len(uses), err)
	}
}
