//go:build oracle

package chat

// All templates over all conversations; see oracle/run.sh.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Every template loads and prints what jinja2 prints.
func TestPromptsAreThoseOfJinja2(t *testing.T) {
	folder := os.Getenv("AGENT_MEMORY_ORACLE")
	if folder == "" {
		t.Fatal("AGENT_MEMORY_ORACLE is not set: run oracle/run.sh")
	}
	var conversations []json.RawMessage
	readLines(t, filepath.Join(folder, "expected", "conversations.jsonl"), func(line []byte) {
		conversations = append(conversations, append(json.RawMessage{}, line...))
	})
	templates, differences := 0, 0
	readLines(t, filepath.Join(folder, "expected", "templates.jsonl"), func(line []byte) {
		var c struct {
			Name, Source string
			Results      []result
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		tmpl, err := Parse(c.Source)
		if err != nil {
			t.Errorf("%s is refused: %v", c.Name, err)
			return
		}
		templates++
		differences += compareAll(t, c.Name, tmpl, conversations, c.Results)
	})
	t.Logf("%d templates, %d conversations each, %d differences", templates, len(conversations), differences)
}

func compareAll(t *testing.T, name string, tmpl *Template, conversations []json.RawMessage, results []result) int {
	t.Helper()
	wrong := 0
	for i, vars := range conversations {
		what := difference(tmpl, vars, results[i])
		if what == "" {
			continue
		}
		if wrong++; wrong == 1 {
			t.Errorf("%s: %.400s: %.700s", name, vars, what)
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d differ", name, wrong, len(conversations))
	}
	return wrong
}
