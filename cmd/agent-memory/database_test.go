package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// lockDatabase has another process's transaction hold the database until the returned function is called.
func lockDatabase(t *testing.T, dir string) (unlock func()) {
	t.Helper()
	db := openDatabase(t, dir)
	conn, err := db.Conn(context.Background())
	if err == nil {
		_, err = conn.ExecContext(context.Background(), "BEGIN EXCLUSIVE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		if err != nil || conn.Close() != nil || db.Close() != nil {
			t.Error(err)
		}
	})
}

func openDatabase(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, recordsFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// alter changes the database as nobody should.
func alter(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db := openDatabase(t, dir)
	for _, statement := range append([]string{"PRAGMA busy_timeout = 5000"}, statements...) {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// restart ends the server like SIGTERM and starts another one on its folder.
func (r *running) restart(t *testing.T) *running {
	t.Helper()
	r.leave()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	return talkative(t, func(c *config.Config) { c.Agent.CacheDir = r.cacheDir })
}

// agents lists the ids of all agents.
func (r *running) agents(t *testing.T) (ids []string, status int) {
	t.Helper()
	var page struct {
		Agents []shown `json:"agents"`
	}
	status, text := r.call(t, http.MethodGet, "/v1/agents", "", "")
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	for _, a := range page.Agents {
		ids = append(ids, a.ID)
	}
	return ids, status
}

// Another process has the database locked when the server starts. Nothing is told to be durable that is lost
// at the restart, the pool's page says why, and once it heals the old secret holds again: what was stored
// before is found.
func TestADatabaseThatIsLockedAtTheStart(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		t.Run(fmt.Sprint("fresh: ", fresh), func(t *testing.T) {
			dir := t.TempDir()
			old := strings.Repeat("from before ", 60)
			if !fresh {
				leaveAgent(t, dir, "old", old)
			}
			unlock := lockDatabase(t, dir)
			defer unlock()
			r := talkative(t, func(c *config.Config) { c.Agent.CacheDir = dir })
			before := r.files(t)
			r.say(t, "new", "", strings.Repeat("while it is locked ", 60))
			if s := r.show(t, "/v1/agents/new"); s.Tokens == 0 || s.Tiers[1].Durable != 0 {
				t.Errorf("%+v", s)
			}
			if _, text := r.call(t, http.MethodGet, "/admin/pool", "", ""); !strings.Contains(text, `"degraded"`) || !strings.Contains(text, "database") {
				t.Error(text)
			}
			if n := r.files(t); n != before {
				t.Errorf("%d blocks were stored under a secret that is not", n-before)
			}
			unlock()
			eventually(t, "healing", func() bool {
				_, text := r.call(t, http.MethodGet, "/admin/pool", "", "")
				return strings.Contains(text, `"healthy"`)
			})
			r.say(t, "new", "", strings.Repeat("after it was locked ", 60))
			want := map[string]int{"new": r.durable(t, "/v1/agents/new").Tokens}
			if !fresh {
				want["old"] = r.durable(t, "/v1/agents/old").Tokens
			}
			r.restart(t).wantAgents(t, want)
		})
	}
}

// leaveAgent has a server make an agent and end.
func leaveAgent(t *testing.T, dir, id, text string) {
	t.Helper()
	r := talkative(t, func(c *config.Config) { c.Agent.CacheDir = dir })
	r.say(t, id, "", text)
	r.durable(t, "/v1/agents/"+id)
	r.leave()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

// wantAgents checks that agents have so many durable tokens, which can be read.
func (r *running) wantAgents(t *testing.T, want map[string]int) {
	t.Helper()
	for id, tokens := range want {
		if s := r.durable(t, "/v1/agents/"+id); s.Tokens != tokens {
			t.Errorf("%s: %+v, want %d tokens", id, s, tokens)
		}
		if status, text := r.call(t, http.MethodPost, "/v1/agents/"+id+"/prefetch", "", ""); status != http.StatusOK {
			t.Errorf("%s can't be read: %s", id, text)
		}
	}
}

// One agent's rows are damaged, each in another way. Everybody is listed, everybody else is saved, and the
// damaged one can be used and deleted.
func TestABadRowHarmsNobodyElse(t *testing.T) {
	for name, damage := range map[string]string{
		"chain cut":       `UPDATE heads SET chain = substr(chain, 1, 50) WHERE id = 'bad'`,
		"chain zeroed":    `UPDATE heads SET chain = zeroblob(200) WHERE id = 'bad'`,
		"chain a text":    `UPDATE heads SET chain = 'text' WHERE id = 'bad'`,
		"time a text":     `UPDATE agents SET used = 'yesterday' WHERE id = 'bad'`,
		"all texts":       `UPDATE agents SET used = 'x', created = 'x', ttl = 'x', retain_until = 'x', version = 'x' WHERE id = 'bad'`,
		"head's time":     `UPDATE heads SET used = 'x' WHERE id = 'bad'`,
		"can't be stored": `CREATE TRIGGER refuse BEFORE UPDATE ON agents WHEN new.id = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`,
	} {
		t.Run(name, func(t *testing.T) {
			r := talkative(t, nil)
			for _, id := range []string{"bad", "good0"} {
				r.say(t, id, "", strings.Repeat(id+" ", 60))
				r.durable(t, "/v1/agents/"+id)
			}
			alter(t, r.cacheDir, damage)
			for i := range 6 {
				id := fmt.Sprint("good", i)
				r.say(t, "bad", "", strings.Repeat(fmt.Sprint("bad ", i), 60))
				r.say(t, id, "", strings.Repeat(id+" again ", 60))
				r.durable(t, "/v1/agents/"+id)
				if ids, status := r.agents(t); status != http.StatusOK || len(ids) != i+2 {
					t.Errorf("%d, listed: %v", status, ids)
				}
			}
			r.remove(t, "/v1/agents/bad")
			r = r.restart(t)
			if ids, _ := r.agents(t); len(ids) != 6 {
				t.Errorf("after a restart there are %v", ids)
			}
		})
	}
}

// A deletion whose chains can't be read holds up no other.
func TestABadDeletionHoldsUpNoOther(t *testing.T) {
	r := talkative(t, nil)
	r.say(t, "a", "", "hello")
	r.durable(t, "/v1/agents/a")
	alter(t, r.cacheDir,
		`INSERT INTO deletions VALUES ('op_bad', 'default', 'gone', 1, 0, 0, 0, '')`,
		`INSERT INTO deleted_chains VALUES ('op_bad', 0, x'00')`)
	r.remove(t, "/v1/agents/a")
	eventually(t, "the bad deletion to end", func() bool {
		_, text := r.call(t, http.MethodGet, "/v1/agents/operations/op_bad", "", "")
		return strings.Contains(text, `"done"`)
	})
}

// Another process locks the database while the server runs: who reads is answered from what is known.
func TestADatabaseThatIsLockedWhileRunning(t *testing.T) {
	r := talkative(t, nil)
	r.say(t, "a", "", strings.Repeat("before ", 60))
	before := r.durable(t, "/v1/agents/a")
	unlock := lockDatabase(t, r.cacheDir)
	defer unlock()
	r.say(t, "a", "", strings.Repeat("meanwhile ", 60))
	var reads sync.WaitGroup
	for range 16 {
		reads.Go(func() {
			if s := r.show(t, "/v1/agents/a"); s.Tokens < before.Tokens || len(s.Heads) != 2 {
				t.Errorf("%+v", s)
			}
		})
	}
	reads.Wait()
	unlock()
	r = r.restart(t)
	if s := r.durable(t, "/v1/agents/a"); len(s.Heads) != 2 {
		t.Errorf("after a restart: %+v", s)
	}
}

// The database, its log, or all that lies in the cache folder is removed while the server runs. What was
// acknowledged is there after a restart, and so is what comes later.
func TestWhatIsRemovedFromTheCacheFolderWhileRunning(t *testing.T) {
	for name, gone := range map[string][]string{
		"the database": {recordsFile}, "its log": {recordsFile + "-wal"}, "its index": {recordsFile + "-shm"},
		"all of it":  {recordsFile, recordsFile + "-wal", recordsFile + "-shm"},
		"the blocks": {blocksDir}, "the folder": {"."}, "the version": {blocksDir + "/v1"}, "the temp folder": {blocksDir + "/tmp"},
		"the quarantine": {blocksDir + "/quarantine"}, "the lock": {blocksDir + "/lock"},
	} {
		t.Run(name, func(t *testing.T) {
			r := talkative(t, nil)
			r.say(t, "old", "", strings.Repeat("old ", 200))
			r.durable(t, "/v1/agents/old")
			for _, file := range gone {
				if err := os.RemoveAll(filepath.Join(r.cacheDir, file)); err != nil {
					t.Fatal(err)
				}
			}
			if status, text := r.call(t, http.MethodPost, "/v1/agents", "", `{"id":"created"}`); status != http.StatusCreated {
				t.Fatalf("create: %d %s", status, text)
			}
			r.say(t, "new", "", strings.Repeat("new ", 200))
			r.say(t, "old", "", strings.Repeat("old ", 200))
			old, new := r.durable(t, "/v1/agents/old"), r.durable(t, "/v1/agents/new")
			r = r.restart(t)
			if ids, status := r.agents(t); status != http.StatusOK || len(ids) != 3 {
				t.Errorf("%d, after a restart there are %v", status, ids)
			}
			if a, b := r.durable(t, "/v1/agents/old"), r.durable(t, "/v1/agents/new"); a.Tokens != old.Tokens || b.Tokens != new.Tokens {
				t.Errorf("%+v, %+v", a, b)
			}
			info, err := os.Stat(filepath.Join(r.cacheDir, recordsFile))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		})
	}
}
