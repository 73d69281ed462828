package chat

// Which turns a template takes. Templates say so only by raising, so they are asked once, with a few short
// conversations, and conversations are arranged accordingly before they are rendered.

import (
	"slices"
	"strings"
)

// Turns is what a template demands of the turns. The zero value demands nothing.
type Turns struct {
	NoSystem  bool // system turns are refused or left out
	Alternate bool // two turns of one speaker in a row are refused
}

// Probe finds out what the template demands, rendering with the other settings of p. A template that does not even
// take one user's turn is taken to demand nothing: it will say itself what is wrong.
func (t *Template) Probe(p Prompt) Turns {
	const system, one, two = "a-system-text", "one-user-text", "another-user-text"
	p.Turns, p.Tools = Turns{}, nil
	shows := func(messages ...Message) bool {
		p.Messages = messages
		text, err := t.Prompt(p)
		return err == nil && !slices.ContainsFunc(messages, func(m Message) bool { return !strings.Contains(text, m.Content) })
	}
	user := Message{Role: "user", Content: one}
	if !shows(user) {
		return Turns{}
	}
	return Turns{
		NoSystem:  !shows(Message{Role: "system", Content: system}, user),
		Alternate: !shows(user, Message{Role: "user", Content: two}),
	}
}

// arranged is the conversation as the template takes it.
func (p Prompt) arranged() Prompt {
	if p.Turns.NoSystem {
		p.Messages = withoutSystem(p.Messages)
	}
	if p.Turns.Alternate {
		p.Messages = alternating(p.Messages)
	}
	return p
}

// withoutSystem puts the text of system turns in front of the next user's turn, which it makes if there is none.
func withoutSystem(messages []Message) []Message {
	var out []Message
	pending := ""
	for _, m := range messages {
		if m.Role == "system" || m.Role == "developer" {
			pending = joined(pending, m.Content)
			continue
		}
		if pending != "" && m.Role != "user" {
			out = append(out, Message{Role: "user", Content: pending})
		} else {
			m.Content = joined(pending, m.Content)
		}
		out, pending = append(out, m), ""
	}
	if pending != "" {
		out = append(out, Message{Role: "user", Content: pending})
	}
	return out
}

// alternating makes one turn of several by the same speaker. Results of tools stay apart: each answers its own call.
func alternating(messages []Message) []Message {
	var out []Message
	for _, m := range messages {
		last := len(out) - 1
		if last < 0 || out[last].Role != m.Role || m.Role == "tool" {
			out = append(out, m)
			continue
		}
		out[last].Content = joined(out[last].Content, m.Content)
		out[last].Thinking = joined(out[last].Thinking, m.Thinking)
		out[last].ToolCalls = slices.Concat(out[last].ToolCalls, m.ToolCalls)
	}
	return out
}

// joined puts an empty line between two texts that are not empty.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}
