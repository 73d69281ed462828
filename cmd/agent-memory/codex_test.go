//go:build clients

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// codex is the real client, as it comes from npm, with a home and a project of its own, started by launch.
type codex struct {
	t             *testing.T
	home, project string
}

func newCodex(t *testing.T) *codex {
	t.Helper()
	root := os.Getenv("SDK_CODEX_ROOT")
	if root == "" {
		t.Fatal("SDK_CODEX_ROOT names no folder with the client in node_modules; make sdk installs it")
	}
	c := &codex{t: t, home: t.TempDir(), project: t.TempDir()}
	t.Setenv("PATH", filepath.Join(root, "node_modules", ".bin")+":"+os.Getenv("PATH"))
	t.Setenv("HOME", c.home)
	t.Setenv("CODEX_HOME", c.home)
	t.Setenv("NO_PROXY", "*")
	t.Chdir(c.project)
	return c
}

// codexRun is how a run of the client ended.
type codexRun struct {
	Thread, Text string
	Failures     []string
	Input        int // tokens of the prompts of all of the thread's turns so far, and of them those that were read
	Cached       int
}

// run has the client work on a prompt until it ends; with a thread it goes on with that one.
func (c *codex) run(server *running, prompt, thread string) (r codexRun) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	defer cancel()
	arguments := []string{"launch", "--url", server.url, "codex", "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"}
	if thread != "" {
		arguments = append(arguments, "resume", thread)
	}
	var said, problems bytes.Buffer
	ended := run(ctx, append(arguments, prompt), &said, &problems)
	r.read(said.String())
	if r.Thread == "" {
		c.t.Fatalf("the client ended with %v: %s %s", ended, said.String(), problems.String())
	}
	c.t.Logf("%q, %d of %d tokens of prompts were read; failures: %v", r.Text, r.Cached, r.Input, r.Failures)
	return r
}

// read takes the client's events in, a line each.
func (r *codexRun) read(events string) {
	for line := range strings.Lines(events) {
		var event struct {
			Type     string
			ThreadID string `json:"thread_id"`
			Message  string
			Item     struct{ Type, Text string }
			Usage    struct {
				Input  int `json:"input_tokens"`
				Cached int `json:"cached_input_tokens"`
			}
		}
		if json.Unmarshal([]byte(line), &event) != nil {
			continue
		}
		switch event.Type {
		case "thread.started":
			r.Thread = event.ThreadID
		case "item.completed":
			if event.Item.Type == "agent_message" {
				r.Text = event.Item.Text
			}
		case "turn.completed":
			r.Input, r.Cached = event.Usage.Input, event.Usage.Cached
		case "error", "turn.failed":
			r.Failures = append(r.Failures, line)
		}
	}
}

// The real Codex, with its own instructions and tools, reads a file, edits it and runs a check, over the Responses API. In
// the middle the server is restarted: what was said before is read and not computed.
func TestCodexDoesATask(t *testing.T) {
	c := newCodex(t)
	for name, text := range map[string]string{
		"sum.py": "def sum_of(a, b):\n    return a - b\n", "check.py": "import sum\nassert sum.sum_of(2, 3) == 5\nopen('checked', 'w').write('yes')\n",
	} {
		if err := os.WriteFile(filepath.Join(c.project, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	renderer, model := agentOf(t,
		call(t, "exec_command", map[string]any{"cmd": "cat sum.py"}),
		"It subtracts.",
		call(t, "exec_command", map[string]any{"cmd": "sed -i 's/a - b/a + b/' sum.py"}),
		call(t, "exec_command", map[string]any{"cmd": "python3 check.py"}),
		"The sum is right now.")
	model.Before = func(c enginetest.Call) error { // computing takes longer than reading, as with any real model
		if !c.Decode {
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	}
	large := func(folder string) func(*config.Config) {
		return func(cfg *config.Config) {
			cfg.MLX.CacheBudgetMB, cfg.MLX.PrefillStepSize, cfg.Agent.DiskBudgetMB = 4, 512, 1024
			if folder != "" {
				cfg.Agent.CacheDir = folder
			}
		}
	}
	server := launchWith(t, model, renderer, large(""))
	first := c.run(server, "What is wrong with sum.py?", "")
	if len(first.Failures) > 0 || first.Text != "It subtracts." {
		t.Fatalf("%+v; the server's log: %s", first, server.log)
	}
	agent := "/v1/agents/" + first.Thread // the client sends its thread as prompt_cache_key
	server.durable(t, agent)
	server.end(t)

	server = launchWith(t, model, renderer, large(server.cacheDir))
	second := c.run(server, "Repair it and run check.py.", first.Thread)
	if len(second.Failures) > 0 || second.Text != "The sum is right now." || second.Thread != first.Thread {
		t.Errorf("%+v", second)
	}
	if checked, err := os.ReadFile(filepath.Join(c.project, "checked")); err != nil || string(checked) != "yes" {
		t.Errorf("the check did not pass: %q, %v", checked, err)
	}
	// Every token of the conversation is computed once, and little is computed again.
	once, all := server.show(t, agent).Tokens, second.Input
	if second.Input < first.Input { // the client counts each run for itself
		all += first.Input
		second.Cached += first.Cached
	}
	again := all - second.Cached - once
	t.Logf("%d tokens of prompts in all, %d of the conversation, %d computed again", all, once, again)
	if 50*again > all {
		t.Errorf("%d of %d tokens were computed again; the server's log: %s", again, all, server.log)
	}
}
