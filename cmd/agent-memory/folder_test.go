package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// Every block's file is replaced by something else while the server runs. The answer is the same, nothing is
// read that is no block, the tier stays healthy, and what was stored again is found after a restart.
func TestBlockFilesThatBecomeSomethingElse(t *testing.T) {
	text := strings.Repeat("remember me ", 100)
	for name, change := range map[string]func(path string) error{
		"grown":  func(path string) error { return os.Truncate(path, 1<<40) },
		"shrunk": func(path string) error { return os.Truncate(path, 5000) },
		"empty":  func(path string) error { return os.Truncate(path, 0) },
		"pipe":   func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"link":   func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/dev/zero", path)) },
		"folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := talkative(t, nil)
			r.say(t, "a", "", text)
			want := r.durable(t, "/v1/agents/a")
			if status, answer := r.call(t, http.MethodPost, "/admin/agents/default/a/evict", "", `{"to":"disk"}`); status != http.StatusOK {
				t.Fatal(answer)
			}
			r.eachFile(t, change)
			r.say(t, "a", "", text)
			if got := r.durable(t, "/v1/agents/a"); got.Tokens != want.Tokens {
				t.Errorf("%+v, want %+v", got, want)
			}
			if _, page := r.call(t, http.MethodGet, "/admin/pool", "", ""); !strings.Contains(page, `"healthy"`) {
				t.Error(page)
			}
			if text := body(t, r.get(t, "/metrics")); strings.Contains(text, "semantic_tier_failures_total{") {
				r.end(t)
				t.Fatalf("the damage is told as a failure of the tier: %s", r.log)
			}
			r = r.restart(t)
			if got := r.durable(t, "/v1/agents/a"); got.Tokens != want.Tokens {
				t.Errorf("after a restart: %+v", got)
			}
		})
	}
}

// eachFile changes every block's file.
func (r *running) eachFile(t *testing.T, change func(string) error) {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(filepath.Join(r.cacheDir, blocksDir, "v1"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	for _, path := range paths {
		err = errors.Join(err, change(path))
	}
	if err != nil || len(paths) == 0 {
		t.Fatal(len(paths), err)
	}
}

func TestAFolderThatOthersCanReachIsWarnedOf(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o777: true, 0o750: true, 0o701: true, 0o700: false} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		r := talkative(t, func(c *config.Config) { c.Agent.CacheDir = dir })
		r.leave()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
		if got := strings.Contains(r.log.String(), fmt.Sprintf("cache_dir_not_private path=%s mode=%04o", dir, mode)); got != warned {
			t.Errorf("%o: warned: %v\n%s", mode, got, r.log)
		}
	}
}

// Who asks as soon as the server is ready again finds all that lies on the disk.
func TestAServerIsReadyOnceItKnowsItsDisk(t *testing.T) {
	large := func(folder string) func(*config.Config) {
		return func(c *config.Config) {
			c.MLX.CacheBudgetMB, c.MLX.PrefillStepSize = 4, 4096
			if folder != "" {
				c.Agent.CacheDir = folder
			}
		}
	}
	r := talkative(t, large(""))
	r.say(t, "a", "", strings.Repeat("many blocks of words ", 6000))
	r.durable(t, "/v1/agents/a")
	r.end(t)
	r = talkative(t, large(r.cacheDir))
	if _, text := r.call(t, http.MethodGet, "/admin/pool", "", ""); strings.Contains(text, `"indexing":true`) || !strings.Contains(text, `"indexing":false`) {
		t.Error(text)
	}
}
