//go:build postgres

package database

import (
	"sync"
	"testing"
	"testing/fstest"

	"github.com/agent-memory/agent-memory/platform/database/pgtest"
)

// Many nodes that start at once migrate an empty database once, also when a newer version has migrated it
// further.
func TestNodesMigrateOneAfterTheOther(t *testing.T) {
	database := pgtest.Start(t).Database()
	newer := schema().(fstest.MapFS)
	newer["2_b.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nSELECT pg_sleep(0.2);\nALTER TABLE things ADD COLUMN more TEXT;\n")}
	var nodes sync.WaitGroup
	for range 5 {
		nodes.Go(func() {
			if version, err := (Postgres{URL: database, Migrations: newer}).Migrate(t.Context()); err != nil || version != 2 {
				t.Errorf("version %d, %v", version, err)
			}
		})
	}
	nodes.Wait()
	pool, err := Postgres{URL: database, Migrations: schema()}.Open(t.Context())
	if err != nil {
		t.Fatalf("the version before: %v", err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), `INSERT INTO things (name) VALUES ('by the version before')`); err != nil {
		t.Error(err)
	}
}
