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

// Probe finds out what the template demands, rendering with the other settings of p. A template that does not
// even take one user's turn is taken to demand nothing: it will say itself what is wrong.
func (t *Template) Probe(p Prompt) Turns {
	const systemText, userText, otherText = "a-system-text", "one-user-text", "another-user-text"
	p.Turns, p.Tools = Turns{}, nil
	shows := func(messages ...Message) bool {
		p.Messages = messages
		text, err := t.Prompt(p)
		return err == nil && !slices.ContainsFunc(messages, func(m Message) bool { return !strings.Contains(text, m.Content) })
	}
	user := Message{Role: "user", Content: userText}
	if !shows(user) {
		return Turns{}
	}
	return Turns{
		NoSystem:  !shows(Message{Role: "system", Content: systemText}, user),
		Alternate: !shows(user, Message{Role: "user", Content: otherText}),
	}
}

// forTemplate returns the conversation with the turns that the template takes.
func (p Prompt) forTemplate() Prompt {
	if p.Turns.NoSystem {
		p.Messages = withoutSystem(p.Messages)
	}
	if p.Turns.Alternate {
		p.Messages = mergeSpeakers(p.Messages)
	}
	return p
}

// withoutSystem puts the text of system turns in front of the next user's turn, which it makes if there is
// none.
func withoutSystem(messages []Message) []Message {
	var out []Message
	var pending paragraphs
	for _, m := range messages {
		if m.Role == "system" || m.Role == "developer" {
			pending.add(m.Content)
			continue
		}
		text := pending.take()
		if text != "" && m.Role != "user" {
			out = append(out, Message{Role: "user", Content: text})
		} else {
			m.Content = joinParagraphs(text, m.Content)
		}
		out = append(out, m)
	}
	if text := pending.take(); text != "" {
		out = append(out, Message{Role: "user", Content: text})
	}
	return out
}

// mergeSpeakers makes one turn of several by the same speaker. Results of tools stay apart: each answers its
// own call.
func mergeSpeakers(messages []Message) []Message {
	var out []Message
	for first := 0; first < len(messages); {
		end := first + 1
		for end < len(messages) && messages[end].Role == messages[first].Role && messages[first].Role != "tool" {
			end++
		}
		out = append(out, mergeTurns(messages[first:end]))
		first = end
	}
	return out
}

// mergeTurns makes one turn of several, in time that grows with their length and not with its square.
func mergeTurns(turns []Message) Message {
	m := turns[0]
	if len(turns) == 1 {
		return m
	}
	var content, thinking paragraphs
	m.ToolCalls = nil
	for _, turn := range turns {
		content.add(turn.Content)
		thinking.add(turn.Thinking)
		m.ToolCalls = append(m.ToolCalls, turn.ToolCalls...)
		m.Sampled = m.Sampled && turn.Sampled
	}
	m.Content, m.Thinking = content.take(), thinking.take()
	return m
}

// paragraphs are texts with an empty line between, without those that are empty.
type paragraphs struct{ text strings.Builder }

func (p *paragraphs) add(text string) {
	if p.text.Len() > 0 && text != "" {
		p.text.WriteString("\n\n")
	}
	p.text.WriteString(text)
}

// take returns what was added and begins anew.
func (p *paragraphs) take() string {
	text := p.text.String()
	p.text.Reset()
	return text
}

// joinParagraphs joins two texts, with an empty line between them if neither is empty.
func joinParagraphs(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}
