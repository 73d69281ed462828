//go:build postgres

package pgstore_test

import (
	"io/fs"
	"testing"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/modules/actions"
	"github.com/agent-memory/agent-memory/modules/actions/pgstore"
	"github.com/agent-memory/agent-memory/modules/actions/storetest"
	"github.com/agent-memory/agent-memory/platform/database"
	"github.com/agent-memory/agent-memory/platform/database/pgtest"
)

func open(t *testing.T, address string) *pgstore.Store {
	t.Helper()
	schema, err := fs.Sub(migrations.Postgres, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := database.Postgres{URL: address, Migrations: schema}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pgstore.New(pool)
}

func TestPostgres(t *testing.T) {
	server, databases := pgtest.Start(t), map[string]string{}
	storetest.Run(t, func(t *testing.T, place string) actions.Store {
		if databases[place] == "" {
			databases[place] = server.Database()
		}
		return open(t, databases[place])
	})
}
