//go:build postgres

package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/platform/database/pgtest"
)

// operatedOn has a server share a database, with an operator's key and no other.
func operatedOn(database string) func(*config.Config) {
	return func(c *config.Config) { operated(c); c.DatabaseURL = database }
}

// endless has answers that go on until they are cut.
func endless(c *config.Config) { c.MLX.CacheBudgetMB = 8 }

// stream begins an answer and reads its beginning.
func (r *running) stream(t *testing.T, key string) *http.Response {
	t.Helper()
	r.key = key
	answer := r.ask(t, streamed(strings.Replace(question, "200", "100000", 1)))
	if _, err := answer.Body.Read(make([]byte, 100)); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	return answer
}

// A key that one node makes holds on the other at once. When one revokes it, the other takes it no more and
// cuts its stream: by being told, and by looking where nobody can be told.
func TestAKeyHoldsAndEndsOnEveryNode(t *testing.T) {
	server := pgtest.StartOwn(t)
	database := server.Database()
	start := func() *running {
		return launch(t, enginetest.Config{NoEnd: true, Before: func(enginetest.Call) error {
			time.Sleep(time.Millisecond)
			return nil
		}}, func(c *config.Config) { operatedOn(database)(c); endless(c) })
	}
	one, two := start(), start()
	for _, listens := range []bool{true, false} {
		if !listens {
			server.Exec(database, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%api_keys%'`)
		}
		k := one.makeKey(t, `{"tenant":"a"}`)
		cut := two.stream(t, k.Secret)
		began := time.Now()
		one.revokeKey(t, k.ID)
		if text := body(t, cut); !strings.Contains(text, "authentication_error") {
			t.Errorf("it ends with %q", text[max(0, len(text)-300):])
		}
		t.Logf("listening %v: cut after %v", listens, time.Since(began))
		two.wantAnswer(t, k.Secret, http.StatusUnauthorized)
	}
}

// While the database is away a key that the node knows is taken, one that it doesn't can't be checked, and
// keys of the settings do as ever. All heals with the database.
func TestKeysWhileTheDatabaseIsAway(t *testing.T) {
	server := pgtest.StartOwn(t)
	r := launch(t, enginetest.Config{NoEnd: true, Before: func(enginetest.Call) error {
		time.Sleep(time.Millisecond)
		return nil
	}}, func(c *config.Config) {
		operatedOn(server.Database())(c)
		endless(c)
		c.APIKeys = []string{"settings"}
	})
	known, unseen := r.makeKey(t, `{}`), r.makeKey(t, `{}`)
	r.wantAnswer(t, known.Secret, http.StatusOK)
	running := r.stream(t, known.Secret)
	server.Stop()
	r.wantAnswer(t, known.Secret, http.StatusOK)
	r.wantAnswer(t, "settings", http.StatusOK)
	if text := r.wantAnswer(t, unseen.Secret, http.StatusServiceUnavailable); !strings.Contains(text, "overloaded_error") {
		t.Error(text)
	}
	r.wantAnswer(t, "", http.StatusUnauthorized)
	if status, text := r.call(t, http.MethodDelete, "/admin/api-keys/"+known.ID, "operator", ""); status != http.StatusServiceUnavailable || strings.Contains(text, "postgres") {
		t.Errorf("a promise to revoke that can't be kept: %d %s", status, text)
	}
	if n, err := running.Body.Read(make([]byte, 100)); n == 0 {
		t.Errorf("the running answer ended: %v", err)
	}
	server.Run()
	eventually(t, "the key to be looked up", func() bool {
		status, _ := r.call(t, http.MethodPost, "/v1/messages", unseen.Secret, strings.Replace(question, "200", "2", 1))
		return status == http.StatusOK
	})
	r.revokeKey(t, known.ID)
	if text := body(t, running); !strings.Contains(text, "authentication_error") {
		t.Errorf("it ends with %q", text[max(0, len(text)-300):])
	}
}
