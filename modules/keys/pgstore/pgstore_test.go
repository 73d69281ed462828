//go:build postgres

package pgstore_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/agent-memory/agent-memory/migrations"
	"github.com/agent-memory/agent-memory/modules/keys"
	"github.com/agent-memory/agent-memory/modules/keys/pgstore"
	"github.com/agent-memory/agent-memory/modules/keys/storetest"
	"github.com/agent-memory/agent-memory/platform/auth"
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
	storetest.Run(t, func(t *testing.T, place string) keys.Store {
		if databases[place] == "" {
			databases[place] = server.Database()
		}
		return open(t, databases[place])
	})
}

// Whoever watches is told of every key that another node makes or revokes, and of nothing that was refused.
func TestChangesAreTold(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := open(t, database), open(t, database)
	told := make(chan struct{}, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- two.Watch(ctx, func() { told <- struct{}{} }) }()
	<-told // it listens
	k := keys.Key{ID: "a", Tenant: "t"}
	if err := one.Create(t.Context(), k, auth.HashOf("a")); err != nil {
		t.Fatal(err)
	}
	<-told
	for range 2 {
		if _, err := one.Revoke(t.Context(), "a", k.Created.AddDate(2000, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	<-told
	cancel()
	if err := <-ended; err == nil || len(told) != 0 {
		t.Errorf("%v, told %d times more", err, len(told))
	}
}
