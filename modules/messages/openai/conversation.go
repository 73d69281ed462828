package openai

import (
	"encoding/json"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/exact"
)

const (
	mostMessages = 100_000
	mostParts    = 100_000 // of all messages
)

// turnBody is a message as it is sent.
type turnBody struct {
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"`
	Refusal          *string         `json:"refusal"`
	ReasoningContent *string         `json:"reasoning_content"`
	ToolCalls        []callBody      `json:"tool_calls"`
	ToolCallID       string          `json:"tool_call_id"`
}

type callBody struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// partBody is a part of a message's content.
type partBody struct {
	Type    string  `json:"type"`
	Text    *string `json:"text"`
	Refusal *string `json:"refusal"`
}

// conversation checks and collects all that makes the prompt.
func (b *chatBody) conversation() (c prompt.Conversation, err error) {
	if c.Tools, err = b.tools(); err != nil {
		return c, err
	}
	if n := len(b.Messages); n == 0 || n > mostMessages {
		return c, invalid("messages: at least one message is required, and at most %d; there are %d", mostMessages, n)
	}
	parts := 0
	calls := map[string]bool{} // that wait for what their tools answer
	for i, raw := range b.Messages {
		place := messages.At("messages", i)
		var m turnBody
		if err := messages.Fill(place, raw, &m); err != nil {
			return c, err
		}
		turn, err := m.turn(place, calls)
		if err != nil {
			return c, err
		}
		if parts += len(turn.Parts); parts > mostParts {
			return c, invalid("%s.content: has the last of more than %d parts, which is too many", place, mostParts)
		}
		if len(turn.Parts) > 0 {
			c.Turns = append(c.Turns, turn)
		}
	}
	if len(c.Turns) == 0 {
		return c, invalid("messages: all of them are empty")
	}
	c.Next = messages.At("messages", len(b.Messages))
	return c, nil
}

// turn reads a message. calls are those of the assistant's last turn.
func (m *turnBody) turn(place string, calls map[string]bool) (turn prompt.Turn, err error) {
	switch m.Role {
	case "system", "developer":
		turn.Role = prompt.System
	case "user":
		turn.Role = prompt.User
	case "assistant":
		return m.assistantTurn(place, calls)
	case "tool":
		return m.toolTurn(place, calls)
	default:
		return turn, invalid("%s.role: must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\"", place)
	}
	if messages.IsAbsent(m.Content) {
		return turn, invalid("%s.content: field required", place)
	}
	turn.Parts, err = texts(place+".content", m.Content)
	return turn, err
}

func (m *turnBody) assistantTurn(place string, calls map[string]bool) (turn prompt.Turn, err error) {
	clear(calls)
	turn.Role = prompt.Assistant
	if m.ReasoningContent != nil && *m.ReasoningContent != "" {
		turn.Parts = append(turn.Parts, prompt.Part{Kind: prompt.Thinking, Place: place + ".reasoning_content", Text: *m.ReasoningContent})
	}
	if !messages.IsAbsent(m.Content) {
		said, err := texts(place+".content", m.Content)
		if err != nil {
			return turn, err
		}
		turn.Parts = append(turn.Parts, said...)
	}
	if m.Refusal != nil && *m.Refusal != "" {
		turn.Parts = append(turn.Parts, prompt.Part{Kind: prompt.Text, Place: place + ".refusal", Text: *m.Refusal})
	}
	for i, call := range m.ToolCalls {
		part, err := call.part(messages.At(place+".tool_calls", i))
		if err != nil {
			return turn, err
		}
		if calls[part.ID] {
			return turn, invalid("%s.tool_calls: two calls have the same id", place)
		}
		calls[part.ID] = true
		turn.Parts = append(turn.Parts, part)
	}
	return turn, nil
}

func (c *callBody) part(place string) (prompt.Part, error) {
	switch {
	case c.Type != "function" && c.Type != "":
		return prompt.Part{}, invalid("%s.type: must be \"function\"", place)
	case c.ID == "":
		return prompt.Part{}, invalid("%s.id: field required", place)
	case c.Function.Name == "":
		return prompt.Part{}, invalid("%s.function.name: field required", place)
	}
	arguments := json.RawMessage(strings.TrimSpace(c.Function.Arguments))
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	if err := exact.Check(arguments); err != nil || !messages.IsObject(arguments) {
		return prompt.Part{}, invalid("%s.function.arguments: must be a JSON object in a string", place)
	}
	return prompt.Part{Kind: prompt.ToolUse, Place: place, ID: c.ID, Name: c.Function.Name, Input: arguments}, nil
}

// toolTurn is what a tool answered.
func (m *turnBody) toolTurn(place string, calls map[string]bool) (turn prompt.Turn, err error) {
	if m.ToolCallID == "" {
		return turn, invalid("%s.tool_call_id: field required", place)
	}
	if !calls[m.ToolCallID] {
		return turn, invalid("%s.tool_call_id: no call of the assistant's message before it has this id", place)
	}
	part := prompt.Part{Kind: prompt.ToolResult, Place: place + ".content", ID: m.ToolCallID}
	if !messages.IsAbsent(m.Content) {
		said, err := texts(place+".content", m.Content)
		if err != nil {
			return turn, err
		}
		part.Text = inLines(said)
	}
	return prompt.Turn{Role: prompt.User, Parts: []prompt.Part{part}}, nil
}

// inLines joins what a tool answered: each part is a thing of its own, such as a file.
func inLines(parts []prompt.Part) string {
	var lines []string
	for _, p := range parts {
		lines = append(lines, p.Text)
	}
	return strings.Join(lines, "\n")
}

// texts reads content in the parts of chat completions.
func texts(place string, raw json.RawMessage) ([]prompt.Part, error) {
	return textsOf(place, raw, func(at string, raw json.RawMessage) (string, error) {
		var part partBody
		if err := messages.Fill(at, raw, &part); err != nil {
			return "", err
		}
		return part.text(at)
	})
}

// textsOf reads content: a string, or an array of parts, each of which one reads. An empty text gives no part.
func textsOf(place string, raw json.RawMessage, one func(at string, raw json.RawMessage) (string, error)) (parts []prompt.Part, err error) {
	if raw[0] == '"' {
		var text string
		if err := messages.Fill(place, raw, &text); err != nil || text == "" {
			return nil, err
		}
		return []prompt.Part{{Kind: prompt.Text, Place: place, Text: text}}, nil
	}
	if raw[0] != '[' {
		return nil, invalid("%s: must be a string or an array of parts", place)
	}
	var list []json.RawMessage
	if err := messages.Fill(place, raw, &list); err != nil {
		return nil, err
	}
	if len(list) > mostParts {
		return nil, invalid("%s: has %d parts; the most is %d", place, len(list), mostParts)
	}
	for i, each := range list {
		at := messages.At(place, i)
		text, err := one(at, each)
		if err != nil {
			return nil, err
		}
		if text != "" {
			parts = append(parts, prompt.Part{Kind: prompt.Text, Place: at, Text: text})
		}
	}
	return parts, nil
}

func (p *partBody) text(place string) (string, error) {
	switch {
	case p.Type == "text" && p.Text != nil:
		return *p.Text, nil
	case p.Type == "refusal" && p.Refusal != nil:
		return *p.Refusal, nil
	case p.Type == "text" || p.Type == "refusal":
		return "", invalid("%s.%s: field required", place, p.Type)
	case p.Type == "image_url":
		return "", invalid("%s: this model has no vision; send text only", place)
	case p.Type == "input_audio" || p.Type == "file":
		return "", invalid("%s: this model reads text only; send the text of it", place)
	}
	return "", invalid("%s.type: this part is not supported here; send text", place)
}
