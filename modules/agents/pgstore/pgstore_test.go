//go:build postgres

package pgstore_test

import (
	"io/fs"
	"testing"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/agents/pgstore"
	"github.com/agent-memory/agent-memory/modules/agents/storetest"
	"github.com/agent-memory/agent-memory/platform/database/pgtest"
)

func schema(t *testing.T) fs.FS {
	t.Helper()
	schema, err := fs.Sub(migrations.Postgres, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func open(t *testing.T, database string) *pgstore.Store { return openAs(t, database, "node") }

// openAs opens a database for a node.
func openAs(t *testing.T, database, node string) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), database, node, schema(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPostgres(t *testing.T) {
	server, databases := pgtest.Start(t), map[string]string{}
	storetest.Run(t, func(t *testing.T, place string) agents.Store {
		if databases[place] == "" {
			databases[place] = server.Database()
		}
		return open(t, databases[place])
	})
}
