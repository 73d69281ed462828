//go:build clients

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
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

// delegating has the model follow one script for who delegates, and one for each worker: a conversation is a worker's if its
// prompt has the worker's name and not the main task's.
func delegating(t *testing.T, mainTask string, main []string, workers map[string][]string) (*prompt.Renderer, enginetest.Config) {
	t.Helper()
	renderer, model := agentOf(t, main...)
	spelt := func(name string) []int32 {
		rendered, err := renderer.Plain(t.Context(), name, 0)
		if err != nil {
			t.Fatal(err)
		}
		return rendered.Tokens[len(rendered.Tokens)-len(name):] // a token for each byte
	}
	type worker struct {
		name   []int32
		answer func([]int32) int32
	}
	var all []worker
	for name, script := range workers {
		_, scripted := agentOf(t, script...)
		all = append(all, worker{spelt(name), scripted.Answer})
	}
	delegates, task := model.Answer, spelt(mainTask)
	model.Answer = func(sequence []int32) int32 {
		if holds(sequence, task) {
			return delegates(sequence)
		}
		for _, w := range all {
			if holds(sequence, w.name) {
				return w.answer(sequence)
			}
		}
		return delegates(sequence)
	}
	return renderer, model
}

func holds(sequence, part []int32) bool {
	for i := range len(sequence) - len(part) + 1 {
		if slices.Equal(sequence[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// Three sub-agents work at once. Each is an agent of its own below the session, what all prompts share is computed once, and the
// session finds its memory when they are done.
func TestClaudeCodesSubAgentsShareTheirMemory(t *testing.T) {
	c := newClaudeCode(t)
	const mainTask = "MAINTASK"
	workers, calls := map[string][]string{}, ""
	for i := range 3 {
		name, file := fmt.Sprintf("WORKER-%d", i), filepath.Join(c.project, fmt.Sprintf("part%d.txt", i))
		if err := os.WriteFile(file, []byte(strings.Repeat("A line of the part.\n", 50)), 0o600); err != nil {
			t.Fatal(err)
		}
		workers[name] = []string{call(t, "Read", map[string]any{"file_path": file}), "It has fifty lines."}
		delegated := call(t, "Agent", map[string]any{"description": "Count lines", "prompt": "You are " + name + ". Count the lines of " + file + ".", "subagent_type": "general-purpose"})
		calls += strings.TrimPrefix(delegated, "I go on.")
	}
	renderer, model := delegating(t, mainTask, []string{"I delegate." + calls, "All three have fifty lines."}, workers)
	prompts := &seenPrompts{Renderer: renderer, beginnings: map[[sha256.Size]byte]bool{}}
	server := launchWith(t, model, prompts, func(cfg *config.Config) {
		cfg.MLX.CacheBudgetMB, cfg.MLX.PrefillStepSize, cfg.Agent.DiskBudgetMB = 8, 512, 1024
	})
	r := c.run(server, mainTask+": have three workers count the lines of the parts.")
	if r.IsError || r.Text != "All three have fifty lines." {
		t.Fatalf("%+v; the server's log: %s", r, server.log)
	}
	var listed struct{ Agents []shown }
	if _, text := server.call(t, http.MethodGet, "/v1/agents?limit=100", "", ""); json.Unmarshal([]byte(text), &listed) != nil || len(listed.Agents) != 4 {
		t.Fatal(text)
	}
	for _, agent := range listed.Agents {
		if agent.ID != r.Session && !strings.HasPrefix(agent.ID, r.Session+"/") {
			t.Errorf("%s is no agent of the session's", agent.ID)
		}
	}
	computed, read, generated := server.tokensCounted(t, "prompt"), server.tokensCounted(t, "cached"), server.tokensCounted(t, "generated")
	again := computed + generated - prompts.distinct()
	t.Logf("%d tokens of prompts in all, %d distinct, %d computed again at most", computed+read, prompts.distinct(), again)
	if again < 0 || 50*again > computed+read {
		t.Errorf("%d of %d tokens were computed again", again, computed+read)
	}
}

// seenPrompts renders as another renderer does, and remembers the beginnings of all prompts.
type seenPrompts struct {
	messages.Renderer
	mu         sync.Mutex
	beginnings map[[sha256.Size]byte]bool
}

func (p *seenPrompts) Render(ctx context.Context, c prompt.Conversation) (prompt.Rendered, error) {
	rendered, err := p.Renderer.Render(ctx, c)
	p.mu.Lock()
	defer p.mu.Unlock()
	var digest [sha256.Size]byte
	for _, token := range rendered.Tokens {
		digest = sha256.Sum256(binary.LittleEndian.AppendUint32(digest[:], uint32(token)))
		p.beginnings[digest] = true
	}
	return rendered, err
}

// distinct is how many tokens the prompts have if each is counted once that stands behind the same ones.
func (p *seenPrompts) distinct() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.beginnings)
}

// tokensCounted is the number of tokens of a kind that the server has counted.
func (r *running) tokensCounted(t *testing.T, kind string) (tokens int) {
	t.Helper()
	_, exposition := r.call(t, http.MethodGet, "/metrics", "", "")
	_, value, found := strings.Cut(exposition, fmt.Sprintf("semantic_tokens_total{kind=%q} ", kind))
	if _, err := fmt.Sscan(value, &tokens); !found || err != nil {
		t.Fatalf("no tokens of kind %s: %v", kind, err)
	}
	return tokens
}
