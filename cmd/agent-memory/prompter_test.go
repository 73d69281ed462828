package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// gemma2 is the form of Gemma 2's template: it raises on a system turn and on turns that do not alternate.
const gemma2 = `{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}` +
	`{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}` +
	`{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}`

// spelled is a prompter of gemma2 whose vocabulary, as a GGUF file of Gemma has it, is special tokens and bytes.
func spelled(t *testing.T) *prompter {
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
	template, err := chat.Parse(gemma2)
	if err != nil {
		t.Fatal(err)
	}
	return newPrompter(tokens, template)
}

func says(role messages.Role, text string) messages.Turn {
	return messages.Turn{Role: role, Parts: []messages.Part{{Kind: messages.Text, Text: text}}}
}

func TestSystemTextReachesATemplateThatRefusesIt(t *testing.T) {
	p := spelled(t)
	got, err := p.Prompt(context.Background(), messages.Conversation{Turns: []messages.Turn{
		says(messages.System, "Be brief."), says(messages.User, "Hi"), says(messages.Assistant, "Hello"), says(messages.User, "Why?"),
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
	got, err := p.Prompt(context.Background(), messages.Conversation{
		Tools: []messages.Tool{{Name: "clock", Description: "Tells the time"}},
		Turns: []messages.Turn{
			says(messages.User, "When?"),
			{Role: messages.Assistant, Parts: []messages.Part{{Kind: messages.ToolUse, ID: "1", Name: "clock", Input: []byte(`{}`)}}},
			{Role: messages.User, Parts: []messages.Part{{Kind: messages.ToolResult, ID: "1", Text: "noon"}, {Kind: messages.Text, Text: "Sure?"}}},
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
	system := says(messages.System, "Be brief.")
	system.Parts[0].Breakpoint = true
	got, err := p.Prompt(context.Background(), messages.Conversation{Turns: []messages.Turn{system, says(messages.User, "Hi")}})
	if err != nil {
		t.Fatal(err)
	}
	if text := p.tokens.Decode(got.Tokens[:got.Marked], false); text != "<bos><start_of_turn>user\nBe brief." {
		t.Errorf("marked %q", text)
	}
}

func TestAConversationThatATemplateStillRefusesIsTheClientsMistake(t *testing.T) {
	_, err := spelled(t).Prompt(context.Background(), messages.Conversation{Turns: []messages.Turn{says(messages.Assistant, "Hello")}})
	var refused *messages.RefusedError
	if !errors.As(err, &refused) || refused.Reason != "turns must alternate" {
		t.Errorf("%v", err)
	}
}
