//go:build clients

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// claudeCode is the real client, as it comes from npm, with a home and a project of its own.
type claudeCode struct {
	t       *testing.T
	binary  string
	home    string
	project string
}

func newClaudeCode(t *testing.T) *claudeCode {
	t.Helper()
	root := os.Getenv("SDK_CLAUDE_ROOT")
	if root == "" {
		t.Fatal("SDK_CLAUDE_ROOT names no folder with the client in node_modules; make sdk installs it")
	}
	return &claudeCode{t: t, binary: filepath.Join(root, "node_modules", ".bin", "claude"), home: t.TempDir(), project: t.TempDir()}
}

// result is how a run of the client ended.
type result struct {
	Kind    string `json:"subtype"`
	IsError bool   `json:"is_error"`
	Turns   int    `json:"num_turns"`
	Text    string `json:"result"`
	Session string `json:"session_id"`
	Usage   struct {
		Input    int `json:"input_tokens"`
		Creation int `json:"cache_creation_input_tokens"`
		Read     int `json:"cache_read_input_tokens"`
		Output   int `json:"output_tokens"`
	} `json:"usage"`
}

func (r result) computed() int { return r.Usage.Input + r.Usage.Creation }

// run has the client work on a prompt until it ends.
func (c *claudeCode) run(server *running, prompt string, arguments ...string) (r result) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	defer cancel()
	arguments = append([]string{"-p", prompt, "--output-format", "json", "--allowedTools", "Read,Edit,Bash"}, arguments...)
	command := exec.CommandContext(ctx, c.binary, arguments...)
	command.Dir = c.project
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "CLAUDE_CONFIG_DIR=" + filepath.Join(c.home, "config"), "NO_PROXY=*",
		"ANTHROPIC_BASE_URL=" + server.url, "ANTHROPIC_AUTH_TOKEN=any", "ANTHROPIC_MODEL=claude-scripted", "ANTHROPIC_SMALL_FAST_MODEL=claude-scripted",
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1",
	}
	var said, problems bytes.Buffer
	command.Stdout, command.Stderr = &said, &problems
	ended := command.Run()
	if err := json.Unmarshal(said.Bytes(), &r); err != nil {
		c.t.Fatalf("the client ended with %v: %s %s", ended, said.String(), problems.String())
	}
	c.t.Logf("%s after %d turns: %q, usage %+v", r.Kind, r.Turns, r.Text, r.Usage)
	return r
}

// call is a call of one of the client's tools, as a model of Hermes's kind writes it.
func call(t *testing.T, name string, arguments map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"name": name, "arguments": arguments})
	if err != nil {
		t.Fatal(err)
	}
	return "I go on.\n<tool_call>\n" + string(raw) + "\n</tool_call>"
}

// The real Claude Code, with its own system prompt and all its tools, reads a file, edits it and runs a check. In the
// middle the server is restarted: what was said before is read and not computed.
func TestClaudeCodeDoesATask(t *testing.T) {
	c := newClaudeCode(t)
	program, check := filepath.Join(c.project, "sum.py"), filepath.Join(c.project, "check.py")
	for path, text := range map[string]string{program: "def sum_of(a, b):\n    return a - b\n", check: "import sum\nassert sum.sum_of(2, 3) == 5\nopen('checked', 'w').write('yes')\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	renderer, model := agentOf(t,
		call(t, "Read", map[string]any{"file_path": program}),
		"It subtracts.",
		call(t, "Edit", map[string]any{"file_path": program, "old_string": "a - b", "new_string": "a + b"}),
		call(t, "Bash", map[string]any{"command": "python3 check.py", "description": "Run the check"}),
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
	first := c.run(server, "What is wrong with sum.py?")
	if first.IsError || first.Text != "It subtracts." {
		t.Fatalf("%+v", first)
	}
	server.durable(t, "/v1/agents/"+first.Session)
	server.end(t)

	server = launchWith(t, model, renderer, large(server.cacheDir))
	second := c.run(server, "Repair it and run check.py.", "--continue")
	if second.IsError || second.Text != "The sum is right now." || second.Session != first.Session {
		t.Errorf("%+v", second)
	}
	if checked, err := os.ReadFile(filepath.Join(c.project, "checked")); err != nil || string(checked) != "yes" {
		t.Errorf("the check did not pass: %q, %v", checked, err)
	}
	// Every token of the conversation is computed once, and little is computed again.
	once := server.show(t, "/v1/agents/"+first.Session).Tokens
	all := first.computed() + first.Usage.Read + second.computed() + second.Usage.Read
	again := first.computed() + second.computed() - once
	t.Logf("%d tokens of prompts in all, %d of the conversation, %d computed again", all, once, again)
	if 50*again > all {
		t.Errorf("%d of %d tokens were computed again; the server's log: %s", again, all, server.log)
	}
}

// A prompt that is too long is told in the words from which the client knows it.
func TestClaudeCodeKnowsWhatIsTooLong(t *testing.T) {
	renderer, model := agentOf(t, "Hello.")
	model.Context = 4096
	server := launchWith(t, model, renderer, nil)
	if r := newClaudeCode(t).run(server, "Hello"); !strings.Contains(strings.ToLower(r.Text), "prompt is too long") {
		t.Errorf("%+v", r)
	}
}
