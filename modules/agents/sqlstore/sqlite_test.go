package sqlstore_test

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/sqlstore"
	"github.com/agent-memory/agent-memory/modules/agents/storetest"
	"github.com/agent-memory/agent-memory/platform/database"
)

func TestSQLite(t *testing.T) {
	schema, err := fs.Sub(migrations.SQLite, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T, place string) agents.Store {
		db, err := database.OpenSQLite(t.Context(), filepath.Join(place, "odd name?%20#", "records.db"), schema)
		if err != nil {
			t.Fatal(err)
		}
		return sqlstore.NewSQLite(db, time.Now)
	})
}
