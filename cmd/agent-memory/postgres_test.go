//go:build postgres

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/platform/database/pgtest"
	"github.com/jackc/pgx/v5"
)

// sharing has a server use a database and, if one is given, a folder.
func sharing(database, dir string) func(*config.Config) {
	return func(c *config.Config) {
		c.DatabaseURL = database
		if dir != "" {
			c.Agent.CacheDir = dir
		}
	}
}

// notReady waits until a server tells that it isn't ready for this reason.
func (r *running) notReady(t *testing.T, reason string) {
	t.Helper()
	var text string
	eventually(t, "not ready: "+reason, func() bool {
		answer := r.get(t, "/health/ready")
		text = body(t, answer)
		return answer.StatusCode == http.StatusServiceUnavailable && strings.Contains(text, reason)
	})
	if strings.Contains(text, "postgres") || strings.Contains(text, "127.0.0.1") {
		t.Errorf("the database's address is told to everybody: %s", text)
	}
}

func (r *running) isReady(t *testing.T) {
	t.Helper()
	eventually(t, "readiness", func() bool { return r.get(t, "/health/ready").StatusCode == http.StatusOK })
}

// count asks the database itself.
func count(t *testing.T, database, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantCached waits until all of a prompt but its last token is found; the folder may still be indexed.
func (r *running) wantCached(t *testing.T, text string) {
	t.Helper()
	var told struct {
		Prompt int `json:"prompt_tokens"`
		Cached int `json:"cached_tokens"`
	}
	sent := fmt.Sprintf(`{"model":"claude-3-5-sonnet-20241022","max_tokens":1,"messages":[{"role":"user","content":%q}]}`, text)
	eventually(t, "all tokens to be found", func() bool {
		status, answer := r.call(t, http.MethodPost, "/admin/explain", "", sent)
		if err := json.Unmarshal([]byte(answer), &told); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		return told.Prompt > 0 && told.Cached == told.Prompt-1
	})
}

// At its first start a node that can't reach the database is not ready and stores nothing; then it takes the
// secret that the database has. At a later start it knows the secret, works without the database, and writes
// its records when that is back.
func TestANodeWhoseDatabaseIsAwayAtItsStart(t *testing.T) {
	server := pgtest.StartOwn(t)
	database, dir := server.Database(), t.TempDir()
	server.Stop()
	r := begin(t, enginetest.Config{NoEnd: true}, sharing(database, dir))
	r.notReady(t, "doesn't know the cluster's secret")
	r.say(t, "early", "", strings.Repeat("before the secret ", 60))
	if n := r.files(t); n != 0 {
		t.Errorf("%d blocks were stored under a secret of its own", n)
	}
	server.Run()
	r.isReady(t)
	text := strings.Repeat("with the secret ", 60)
	r.say(t, "first", "", text)
	first := r.durable(t, "/v1/agents/first")
	r.end(t)
	info, err := os.Stat(filepath.Join(dir, secretFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the secret is not kept: %v, %v", info, err)
	}
	server.Stop()
	r = talkative(t, sharing(database, dir))
	r.wantCached(t, text)
	r.say(t, "second", "", strings.Repeat("while it is away ", 60))
	second := r.durable(t, "/v1/agents/second")
	server.Run()
	eventually(t, "the record to be written", func() bool { return count(t, database, `SELECT count(*) FROM agents WHERE id = 'second'`) == 1 })
	r.wantAgents(t, map[string]int{"first": first.Tokens, "second": second.Tokens})
}

// A node that knows the secret gives it to an emptied database, and finds its blocks. One whose database has
// another secret is not ready, and neither reads nor writes it.
func TestASecretIsKeptAndNeverMixed(t *testing.T) {
	server := pgtest.Start(t)
	dir, text := t.TempDir(), strings.Repeat("remember this ", 60)
	r := talkative(t, sharing(server.Database(), dir))
	r.say(t, "a", "", text)
	r.durable(t, "/v1/agents/a")
	r.end(t)
	emptied := server.Database()
	r = talkative(t, sharing(emptied, dir))
	r.wantCached(t, text)
	r.say(t, "a", "", text)
	r.durable(t, "/v1/agents/a")
	r.end(t)

	others := server.Database()
	other := talkative(t, sharing(others, ""))
	other.say(t, "theirs", "", "hello")
	other.durable(t, "/v1/agents/theirs")
	r = begin(t, enginetest.Config{NoEnd: true}, sharing(others, dir))
	r.notReady(t, "another cluster secret")
	r.say(t, "mine", "", text)
	if status, answer := r.call(t, http.MethodGet, "/v1/agents/theirs", "", ""); status != http.StatusServiceUnavailable {
		t.Errorf("the other cluster's agent is answered: %d %s", status, answer)
	}
	r.end(t)
	if n := count(t, others, `SELECT count(*) FROM agents WHERE id = 'mine'`); n != 0 {
		t.Error("a record was written to the other cluster's database")
	}
	kept, err := os.ReadFile(filepath.Join(dir, secretFile))
	if theirs, _ := os.ReadFile(filepath.Join(other.cacheDir, secretFile)); err != nil || bytes.Equal(kept, theirs) {
		t.Errorf("the kept secret was replaced: %v", err)
	}
}

// The database goes away under running conversations and comes back: every answer is given, and every record
// is written.
func TestADatabaseThatGoesAwayUnderConversations(t *testing.T) {
	server := pgtest.StartOwn(t)
	database := server.Database()
	r := talkative(t, sharing(database, ""))
	talk := func(round int) {
		var agents sync.WaitGroup
		for i := range 4 {
			agents.Go(func() { r.say(t, fmt.Sprint("agent", i), "", strings.Repeat(fmt.Sprint(i, " "), 100*(round+1))) })
		}
		agents.Wait()
	}
	talk(0)
	server.Stop()
	talk(1)
	if s := r.show(t, "/v1/agents/agent0"); s.Tokens == 0 {
		t.Errorf("while it is away: %+v", s)
	}
	if status, text := r.call(t, http.MethodGet, "/v1/agents", "", ""); status != http.StatusServiceUnavailable || strings.Contains(text, "postgres") {
		t.Errorf("the list: %d %s", status, text)
	}
	if status := r.get(t, "/health/ready").StatusCode; status != http.StatusOK {
		t.Errorf("ready: %d", status)
	}
	server.Run()
	eventually(t, "all records", func() bool {
		return count(t, database, `SELECT count(*) FROM (SELECT id FROM heads GROUP BY id HAVING count(*) = 2) AS pairs`) == 4
	})
	want := map[string]int{}
	for i := range 4 {
		id := fmt.Sprint("agent", i)
		want[id] = r.durable(t, "/v1/agents/"+id).Tokens
	}
	r.end(t)
	talkative(t, sharing(database, r.cacheDir)).wantAgents(t, want)
}

// The tables go while the server runs, as when a database is made anew: it gets its schema and the secret
// back.
func TestADatabaseThatIsEmptiedWhileRunning(t *testing.T) {
	server := pgtest.Start(t)
	database := server.Database()
	r := talkative(t, sharing(database, ""))
	text := strings.Repeat("remember this ", 60)
	r.say(t, "a", "", text)
	r.durable(t, "/v1/agents/a")
	server.Exec(database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	r.say(t, "b", "", text+"and more")
	eventually(t, "the record in the new tables", func() bool {
		_, listed := r.call(t, http.MethodGet, "/v1/agents", "", "")
		return strings.Contains(listed, `"id":"b"`)
	})
	r.wantCached(t, text)
}

// Two nodes with one database know each other's agents, and a deletion by one holds for both.
func TestTwoNodesKnowTheSameAgents(t *testing.T) {
	database := pgtest.Start(t).Database()
	one, two := talkative(t, sharing(database, "")), talkative(t, sharing(database, ""))
	one.say(t, "a", "", strings.Repeat("said to one ", 60))
	tokens := one.durable(t, "/v1/agents/a").Tokens
	if s := two.show(t, "/v1/agents/a"); s.Tokens != tokens || s.Tiers[1].Tokens != 0 {
		t.Errorf("the other node tells %+v", s)
	}
	two.say(t, "a", "", strings.Repeat("said to two ", 60))
	two.durable(t, "/v1/agents/a")
	if s := one.show(t, "/v1/agents/a"); len(s.Heads) != 2 {
		t.Errorf("a head was lost: %+v", s)
	}
	one.remove(t, "/v1/agents/a")
	if status, _ := two.call(t, http.MethodGet, "/v1/agents/a", "", ""); status != http.StatusNotFound {
		t.Errorf("the other node still knows the agent: %d", status)
	}
	for _, path := range []string{"/v1/agents/%00", "/v1/agents/a%00b", "/v1/agents/%ff", "/admin/agents/%00/a", "/v1/agents/operations/%00"} {
		if status, text := one.call(t, http.MethodGet, path, "", ""); status != http.StatusNotFound && status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for _, query := range []string{"prefix=%00", "tenant=%00", "prefix=%ff", "cursor=WyJcdTAwMDAiLCJcdTAwMDAiXQ"} {
		if status, text := one.call(t, http.MethodGet, "/admin/agents?"+query, "", ""); status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

// databaseCommand runs a command on a database and a folder.
func databaseCommand(t *testing.T, database, dir string, args ...string) (string, error) {
	t.Helper()
	var out, said bytes.Buffer
	err := run(t.Context(), append(args, "--database-url", database, "--agent-cache-dir", dir), &out, &said)
	return out.String(), err
}

// What export prints makes another database that of the same cluster; one that has another secret stays as it
// is.
func TestTheSecretIsExportedAndImported(t *testing.T) {
	server := pgtest.Start(t)
	first, second := server.Database(), server.Database()
	empty := t.TempDir()
	if text, err := databaseCommand(t, first, empty, "secret", "export"); err == nil {
		t.Errorf("a secret of nobody: %s", text)
	}
	for range 2 {
		if text, err := databaseCommand(t, first, empty, "migrate"); err != nil || !strings.Contains(text, "up to date") {
			t.Errorf("%s, %v", text, err)
		}
	}
	r := talkative(t, sharing(first, ""))
	exported, err := databaseCommand(t, first, empty, "secret", "export")
	file := filepath.Join(t.TempDir(), "secret")
	if err != nil || os.WriteFile(file, []byte(exported), 0o600) != nil {
		t.Fatal(err)
	}
	for range 2 {
		if text, err := databaseCommand(t, second, empty, "secret", "import", file); err != nil {
			t.Errorf("%s, %v", text, err)
		}
	}
	if again, err := databaseCommand(t, second, empty, "secret", "export"); err != nil || again != exported {
		t.Errorf("%q became %q, %v", exported, again, err)
	}
	r.end(t)
	unreachable := "postgres://postgres@127.0.0.1:1/none?connect_timeout=1"
	if kept, err := databaseCommand(t, unreachable, r.cacheDir, "secret", "export"); err != nil || kept != exported {
		t.Errorf("the kept secret is %q, %v", kept, err)
	}
	wantRefused(t, second, empty, exported)
	other := secretForm + strings.Repeat("ab", secretBytes)
	if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := databaseCommand(t, server.Database(), r.cacheDir, "secret", "import", file); err == nil {
		t.Errorf("a secret beside blocks of another cluster: %s", said)
	}
}

// wantRefused checks that a database that has a secret takes no other, nor what is none, and keeps its own.
func wantRefused(t *testing.T, database, dir, exported string) {
	t.Helper()
	file, other := filepath.Join(t.TempDir(), "secret"), strings.Repeat("ab", secretBytes)
	for name, text := range map[string]string{
		"another": secretForm + other, "empty": "", "cut": exported[:len(exported)-3], "form": other, "digits": secretForm + strings.Repeat("xy", secretBytes),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := databaseCommand(t, database, dir, "secret", "import", file); err == nil || strings.Contains(err.Error(), other) {
			t.Errorf("%s: %s, %v", name, said, err)
		}
	}
	if again, err := databaseCommand(t, database, dir, "secret", "export"); err != nil || again != exported {
		t.Errorf("after refused imports it is %q, %v", again, err)
	}
}
