//go:build oracle

package prompt

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
)

// eachTemplate calls visit with the templates of the collection.
func eachTemplate(t *testing.T, tokens *tokenizer.Tokenizer, visit func(name string, r *Renderer)) {
	t.Helper()
	folder := os.Getenv("AGENT_MEMORY_ORACLE")
	if folder == "" {
		t.Fatal("AGENT_MEMORY_ORACLE is not set: run oracle/run.sh")
	}
	file, err := os.Open(filepath.Join(folder, "expected", "templates.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<30)
	for lines.Scan() {
		var c struct{ Name, Source string }
		if json.Unmarshal(lines.Bytes(), &c) != nil || c.Source == "" {
			continue // the file's first line is a comment
		}
		if template, err := chat.Parse(c.Source); err == nil { // mlx/chat lists those that are refused
			visit(c.Name, New(tokens, template))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// A call that was sampled is found in the prompt as it was sampled, in every template that says it writes it
// so. Tokens are bytes here, so that a border is everywhere.
func TestEveryTemplateThatReplaysFindsASampledCall(t *testing.T) {
	checked := 0
	eachTemplate(t, spelled(t).tokens, func(name string, r *Renderer) {
		if !r.replays {
			t.Logf("%s writes calls elsewhere than they are sampled", name)
			return
		}
		sampled := "I look.\n<tool_call>\n{\"arguments\": {\"a\":  1}, \"name\": \"clock\"}\n</tool_call>"
		got, err := r.Render(t.Context(), Conversation{
			Tools: []Tool{{Name: "clock", Description: "Tells the time", InputSchema: []byte(`{"type":"object","properties":{}}`)}},
			Turns: []Turn{
				says(User, "When?"),
				{Role: Assistant, Sampled: sampled, Parts: []Part{{Kind: Text, Text: "I look."}, {Kind: ToolUse, ID: "callcallc", Name: "clock", Input: []byte(`{"a":1}`)}}},
				{Role: User, Parts: []Part{{Kind: ToolResult, ID: "callcallc", Text: "noon"}}},
			},
		})
		if err != nil {
			t.Logf("%s refuses a result whose call it does not see: %v", name, err)
			return
		}
		for _, span := range got.Answers {
			if r.tokens.Decode(got.Tokens[span.From:span.To], false) == sampled {
				checked++
				return
			}
		}
		t.Errorf("%s: the sampled call is not found in %q", name, r.tokens.Decode(got.Tokens, false))
	})
	if t.Logf("%d templates", checked); checked < 25 {
		t.Errorf("only %d templates were checked", checked)
	}
}

// Every template of the collection goes on with a turn where its text ends, whatever it writes behind it.
func TestEveryTemplateContinuesAPrefillWhereItEnds(t *testing.T) {
	checked := 0
	eachTemplate(t, embedded(t).tokens, func(name string, p *Renderer) {
		probe := Conversation{Turns: []Turn{says(User, "u"), says(Assistant, "#")}, Continue: true}
		if _, err := p.Render(t.Context(), probe); err != nil {
			t.Logf("%s can't continue a turn: %v", name, err)
			return
		}
		checked++
		t.Run(name, func(t *testing.T) { checkPrefills(t, p) })
	})
	if t.Logf("%d templates", checked); checked < 50 {
		t.Errorf("only %d templates were checked", checked)
	}
}
