package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// prompter renders conversations with a model's chat template and tokenizer.
type prompter struct {
	tokens   *tokenizer.Tokenizer
	speller  *tokenizer.Speller
	template *chat.Template
	turns    chat.Turns // what the template demands
}

// newPrompter asks the template once which turns it takes.
func newPrompter(t *tokenizer.Tokenizer, template *chat.Template) *prompter {
	p := &prompter{tokens: t, speller: t.NewSpeller(), template: template}
	p.turns = template.Probe(p.settings(true, time.Now()))
	return p
}

// settings are a prompt's without its conversation.
func (p *prompter) settings(generate bool, now time.Time) chat.Prompt {
	return chat.Prompt{
		AddGenerationPrompt: generate, Guard: p.tokens.Guard, Now: now, Turns: p.turns,
		BOS: p.special(p.tokens.BOS()), EOS: p.special(p.tokens.EOS()),
	}
}

// Spelling implements messages.Prompter.
func (p *prompter) Spelling() engine.Spelling { return p.speller }

// NewDecoder implements messages.Prompter.
func (p *prompter) NewDecoder() engine.TextDecoder { return p.tokens.NewDecoder() }

// Prompt implements messages.Prompter.
func (p *prompter) Prompt(_ context.Context, c messages.Conversation) (messages.Prompt, error) {
	now := time.Now()
	text, err := p.render(c, !c.Continue, now)
	if err != nil {
		return messages.Prompt{}, err
	}
	if c.Continue {
		if text, err = p.cutAfterLast(text, c); err != nil {
			return messages.Prompt{}, err
		}
	}
	out := messages.Prompt{Tokens: p.tokens.Encode(text)}
	if head, ok := untilBreakpoint(c); ok {
		text, err := p.render(head, false, now)
		if err != nil {
			return messages.Prompt{}, err
		}
		out.Marked = common(out.Tokens, p.tokens.Encode(text))
	}
	return out, nil
}

func (p *prompter) render(c messages.Conversation, generate bool, now time.Time) (string, error) {
	in := p.settings(generate, now)
	for _, t := range c.Turns {
		in.Messages = append(in.Messages, turn(t)...)
	}
	for _, t := range c.Tools {
		in.Tools = append(in.Tools, chat.Tool{Name: t.Name, Description: t.Description, Parameters: t.InputSchema})
	}
	text, err := p.template.Prompt(in)
	var raised *chat.RaisedError
	if errors.As(err, &raised) {
		return "", &messages.RefusedError{Reason: raised.Message}
	}
	if err != nil {
		return "", &messages.RefusedError{Reason: err.Error()}
	}
	return text, nil
}

// special is the text of a special token, empty for none.
func (p *prompter) special(id int32) string {
	text, _ := p.tokens.Token(id)
	return text
}

// turn splits a turn into the messages that templates know: results of tools become turns of their own.
func turn(t messages.Turn) []chat.Message {
	var results []chat.Message
	m := chat.Message{Role: string(t.Role)}
	for _, part := range t.Parts {
		switch part.Kind {
		case messages.Text:
			m.Content += part.Text
		case messages.Thinking:
			m.Thinking += part.Text
		case messages.ToolUse:
			m.ToolCalls = append(m.ToolCalls, chat.ToolCall{ID: part.ID, Name: part.Name, Arguments: part.Input})
		case messages.ToolResult:
			results = append(results, chat.Message{Role: "tool", Content: part.Text, ToolCallID: part.ID})
		}
	}
	if len(results) > 0 && m.Content == "" {
		return results
	}
	return append(results, m)
}

// cutAfterLast ends a rendered conversation where the last turn's text ends, so that the answer continues it.
func (p *prompter) cutAfterLast(text string, c messages.Conversation) (string, error) {
	var last strings.Builder
	for _, part := range c.Turns[len(c.Turns)-1].Parts {
		if part.Kind == messages.Text {
			last.WriteString(part.Text)
		}
	}
	content := p.tokens.Guard(strings.TrimSpace(last.String()))
	at := strings.LastIndex(text, content)
	if content == "" || at < 0 {
		return "", &messages.RefusedError{Reason: "its last turn can't be continued: the template does not keep the assistant's text"}
	}
	return text[:at+len(content)], nil
}

// untilBreakpoint is the conversation up to its last cache_control breakpoint.
func untilBreakpoint(c messages.Conversation) (messages.Conversation, bool) {
	for i := len(c.Turns) - 1; i >= 0; i-- {
		parts := c.Turns[i].Parts
		for j := len(parts) - 1; j >= 0; j-- {
			if parts[j].Breakpoint {
				head := messages.Conversation{Tools: c.Tools, Turns: append([]messages.Turn{}, c.Turns[:i]...)}
				head.Turns = append(head.Turns, messages.Turn{Role: c.Turns[i].Role, Parts: parts[:j+1]})
				return head, true
			}
		}
	}
	return messages.Conversation{}, false
}

// common is the length of the common beginning.
func common(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
