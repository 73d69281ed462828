package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// What is printed is a line that a shell takes apart as it was meant, with all that the program needs.
func TestAProgramIsLaunchedWithWhatItNeeds(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "it's a key")
	r := talkative(t, func(c *config.Config) { c.APIKeys = []string{"it's a key"} })
	// A program of each name that tells how it was started.
	folder := t.TempDir()
	for _, name := range []string{"claude", "codex", "opencode", "aider"} {
		script := "#!/bin/sh\nenv | grep -E '^(ANTHROPIC|CLAUDE|OPENAI|OPENCODE|AGENT_MEMORY)'\nfor a in \"$@\"; do echo \"argument $a\"; done\n"
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	for name, wants := range map[string][]string{
		"claude":   {"ANTHROPIC_BASE_URL=" + r.url, "ANTHROPIC_AUTH_TOKEN=it's a key", "ANTHROPIC_MODEL=claude-memory"},
		"codex":    {"AGENT_MEMORY_KEY=it's a key", `argument model="memory"`, `argument model_providers.agent-memory.base_url="` + r.url + `/v1"`},
		"opencode": {`"baseURL":"` + r.url + `/v1"`, `"model":"agent-memory/memory"`},
		"aider":    {"OPENAI_API_BASE=" + r.url + "/v1", "argument --model", "argument openai/memory"},
	} {
		started, err := r.command(t, "launch", name, "--url", r.url, "two words", "-x")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		line, err := r.command(t, "launch", "--print", name, "--url", r.url, "two words", "-x")
		if err != nil {
			t.Fatal(err)
		}
		bySh, err := exec.Command("sh", "-c", line).CombinedOutput() //nolint:gosec // that is what it is for
		if err != nil {
			t.Errorf("%s: %s: %v", name, bySh, err)
		}
		for _, want := range append(wants, "argument two words\nargument -x") {
			if !strings.Contains(started, want) || !strings.Contains(string(bySh), want) {
				t.Errorf("%s has no %q:\n%s\n%s", name, want, started, bySh)
			}
		}
	}
	raw, err := r.command(t, "launch", "--json", "codex", "--url", r.url)
	var l launching
	if json.Unmarshal([]byte(raw), &l) != nil || err != nil || l.Program != "codex" || len(l.Arguments) == 0 {
		t.Errorf("%s, %v", raw, err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := r.command(t, "launch", "codex", "--url", r.url); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("%v", err)
	}
}
