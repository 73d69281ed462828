package prompt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
)

// gemma2 is the form of Gemma 2's template: it raises on a system turn and on turns that do not alternate.
const gemma2 = `{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}` +
	`{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}` +
	`{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}`

// spelled is a renderer of gemma2 whose vocabulary, as a GGUF file of Gemma has it, is special tokens and
// bytes.
func spelled(t *testing.T) *Renderer {
	t.Helper()
	return spelledBy(t, gemma2)
}

// spelledBy is the same with another template.
func spelledBy(t *testing.T, source string) *Renderer {
	t.Helper()
	v := tokenizer.Vocabulary{
		Model: "llama", Tokens: []string{"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "▁"},
		Types: []int32{3, 3, 3, 2, 3, 3, 1}, BOS: 2, EOS: 1, UNK: 3, AddBOS: true,
	}
	for i := range 256 {
		v.Tokens, v.Types = append(v.Tokens, fmt.Sprintf("<0x%02X>", i)), append(v.Types, 6)
	}
	v.Scores = make([]float32, len(v.Tokens))
	tokens, err := tokenizer.FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return New(tokens, template)
}

func says(role Role, text string) Turn {
	return Turn{Role: role, Parts: []Part{{Kind: Text, Text: text}}}
}

func TestSystemTextReachesATemplateThatRefusesIt(t *testing.T) {
	p := spelled(t)
	got, err := p.Render(context.Background(), Conversation{Turns: []Turn{
		says(System, "Be brief."), says(User, "Hi"), says(Assistant, "Hello"), says(User, "Why?"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n" +
		"<start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n"
	if text := p.tokens.Decode(got.Tokens, false); text != want {
		t.Errorf("%q, expected %q", text, want)
	}
	if got.Tokens[0] != 2 || got.Tokens[1] != 4 {
		t.Errorf("begins with %v", got.Tokens[:2])
	}
}

func TestResultsOfToolsAndTheNextQuestionBecomeOneTurn(t *testing.T) {
	p := spelled(t)
	got, err := p.Render(context.Background(), Conversation{
		Tools: []Tool{{Name: "clock", Description: "Tells the time"}},
		Turns: []Turn{
			says(User, "When?"),
			{Role: Assistant, Parts: []Part{{Kind: ToolUse, ID: "1", Name: "clock", Input: []byte(`{}`)}}},
			{Role: User, Parts: []Part{{Kind: ToolResult, ID: "1", Text: "noon"}, {Kind: Text, Text: "Sure?"}}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	text := p.tokens.Decode(got.Tokens, false)
	for _, part := range []string{"<bos><start_of_turn>user\nYou can use these tools.", "clock: Tells the time\n\nWhen?<end_of_turn>",
		"user\nThe tool answered:\nnoon\n\nSure?<end_of_turn>\n<start_of_turn>model\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in %q", part, text)
		}
	}
}

func TestABreakpointBehindTheSystemTextMarksIt(t *testing.T) {
	p := spelled(t)
	system := says(System, "Be brief.")
	system.Parts[0].Breakpoint = true
	got, err := p.Render(context.Background(), Conversation{Turns: []Turn{system, says(User, "Hi")}})
	if err != nil {
		t.Fatal(err)
	}
	if text := p.tokens.Decode(got.Tokens[:got.Marked], false); text != "<bos><start_of_turn>user\nBe brief." {
		t.Errorf("marked %q", text)
	}
}

func TestAConversationThatATemplateStillRefusesIsTheClientsMistake(t *testing.T) {
	_, err := spelled(t).Render(context.Background(), Conversation{Turns: []Turn{says(Assistant, "Hello")}})
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Reason != "turns must alternate" {
		t.Errorf("%v", err)
	}
}

func TestAFailedToolIsToldToTheModel(t *testing.T) {
	p := spelled(t)
	render := func(failed bool, text string) string {
		got, err := p.Render(context.Background(), Conversation{Turns: []Turn{
			says(User, "When?"),
			{Role: Assistant, Parts: []Part{{Kind: ToolUse, ID: "1", Name: "clock", Input: []byte(`{}`)}}},
			{Role: User, Parts: []Part{{Kind: ToolResult, ID: "1", Text: text, IsError: failed}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return p.tokens.Decode(got.Tokens, false)
	}
	for _, text := range []string{"no such clock", ""} {
		if got := render(true, text); !strings.Contains(got, "The tool failed:") || !strings.Contains(got, text) {
			t.Errorf("%q does not tell of the failure", got)
		}
		if got := render(false, text); strings.Contains(got, "failed") {
			t.Errorf("%q tells of a failure", got)
		}
	}
}

// hermes is the form of templates that put the tools behind the system prompt; toolsFirst puts them in front
// of all.
const (
	hermes = `{{ '<start_of_turn>system\n' }}{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}` +
		`{% if tools %}{{ '\nTools: ' }}{% for t in tools %}{{ t | tojson }}{{ '\n' }}{% endfor %}{{ 'Call them.' }}{% endif %}{{ '<end_of_turn>' }}` +
		`{% for m in messages %}{% if m.role != 'system' %}{{ '<start_of_turn>' + m.role + '\n' + m.content + '<end_of_turn>' }}{% endif %}{% endfor %}`
	toolsFirst = `{% if tools %}{{ '[TOOLS]' + tools | tojson + '[/TOOLS]' }}{% endif %}` +
		`{% for m in messages %}{{ '<start_of_turn>' + m.role + '\n' + m.content + '<end_of_turn>' }}{% endfor %}`
)

// A breakpoint on a tool marks all up to the end of that tool, wherever the template has the tools.
func TestABreakpointOnAToolAloneMarksTheTools(t *testing.T) {
	clock := Tool{Name: "clock", Description: "Tells the time", InputSchema: []byte(`{"type":"object"}`)}
	walk := Tool{Name: "walk", Description: "Walks away", InputSchema: []byte(`{"type":"object"}`)}
	marked := func(tool Tool) Tool { tool.Breakpoint = true; return tool }
	for name, source := range map[string]string{"plain words": gemma2, "behind the system prompt": hermes, "in front": toolsFirst} {
		for _, c := range []struct {
			tools      []Tool
			last, next string // what the marked part ends with, or does not have
		}{
			{[]Tool{marked(clock)}, "clock", "Hi there"},
			{[]Tool{clock, marked(walk)}, "walk", "Hi there"},
			{[]Tool{marked(clock), walk}, "clock", "walk"},
		} {
			p := spelledBy(t, source)
			got, err := p.Render(context.Background(), Conversation{Tools: c.tools, Turns: []Turn{
				says(System, "Be brief."), says(User, "Hi there"),
			}})
			if err != nil {
				t.Fatal(err)
			}
			text := p.tokens.Decode(got.Tokens[:got.Marked], false)
			if !strings.Contains(text, c.last) || !strings.Contains(text, `"object"}`) || strings.Contains(text, c.next) {
				t.Errorf("%s: marked %q, want it to end behind %s", name, text, c.last)
			}
		}
	}
}
