package sqlstore_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/modules/actions"
	"github.com/agent-memory/agent-memory/modules/actions/sqlstore"
	"github.com/agent-memory/agent-memory/modules/actions/storetest"
	"github.com/agent-memory/agent-memory/platform/database"
)

func TestSQLite(t *testing.T) {
	schema, err := fs.Sub(migrations.SQLite, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T, place string) actions.Store {
		db, err := database.OpenSQLite(t.Context(), filepath.Join(place, "actions.db"), schema)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return sqlstore.NewSQLite(db)
	})
}
