package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// message is a message as it is sent.
type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// block is a content block of any kind, as it is sent.
type block struct {
	Type         string          `json:"type"`
	Text         *string         `json:"text"`
	Thinking     *string         `json:"thinking"`
	Data         *string         `json:"data"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Input        json.RawMessage `json:"input"`
	ToolUseID    string          `json:"tool_use_id"`
	Content      json.RawMessage `json:"content"`
	IsError      *bool           `json:"is_error"`
	CacheControl *cacheControl   `json:"cache_control"`
}

// conversation checks and collects all that makes the prompt.
func (b *body) conversation() (Conversation, error) {
	var c Conversation
	var err error
	if c.Tools, err = b.tools(); err != nil {
		return c, err
	}
	if c.Turns, err = systemTurn(b.System); err != nil {
		return c, err
	}
	if len(b.Messages) == 0 {
		return c, invalid("messages: at least one message is required")
	}
	for i, raw := range b.Messages {
		turn, err := parseMessage(at("messages", i), raw)
		if err != nil {
			return c, err
		}
		if len(turn.Parts) > 0 {
			c.Turns = append(c.Turns, turn)
			continue
		}
		if last := i == len(b.Messages)-1; !last || turn.Role != Assistant || len(c.Turns) == 0 {
			return c, invalid("messages.%d.content: must not be empty", i)
		}
	}
	if err := b.CacheControl.checkAt("body"); err != nil {
		return c, err
	}
	if b.CacheControl != nil {
		markLast(c.Turns, b.CacheControl.retention())
	}
	c.Continue = c.Turns[len(c.Turns)-1].Role == Assistant
	return c, checkTurns(c)
}

// systemTurn reads the system prompt: a string, or text blocks.
func systemTurn(raw json.RawMessage) ([]Turn, error) {
	if absent(raw) {
		return nil, nil
	}
	parts, err := parseContent("system", raw, System)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	return []Turn{{System, parts}}, nil
}

// parseMessage reads a message. Only the last one may have no parts: an empty beginning of the answer.
func parseMessage(place string, raw json.RawMessage) (Turn, error) {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		return Turn{}, jsonError(place, err)
	}
	role := Role(m.Role)
	if role != User && role != Assistant && role != System {
		return Turn{}, invalid("%s.role: must be \"user\", \"assistant\" or \"system\"", place)
	}
	if absent(m.Content) {
		return Turn{}, invalid("%s.content: field required", place)
	}
	parts, err := parseContent(place+".content", m.Content, role)
	if err != nil {
		return Turn{}, err
	}
	return Turn{role, parts}, nil
}

// parseContent reads content: a string, or an array of blocks.
func parseContent(place string, raw json.RawMessage, role Role) ([]Part, error) {
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, jsonError(place, err)
		}
		if text == "" {
			return nil, nil
		}
		return []Part{{Kind: Text, Text: text}}, nil
	}
	if raw[0] != '[' {
		return nil, invalid("%s: must be a string or an array of content blocks", place)
	}
	var blocks []json.RawMessage
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return nil, jsonError(place, err)
	}
	var parts []Part
	for i, raw := range blocks {
		more, err := parseBlock(at(place, i), raw, role)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	return parts, nil
}

// parseBlock reads a content block. One that says nothing to the model gives no part.
func parseBlock(place string, raw json.RawMessage, role Role) ([]Part, error) {
	var b block
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, jsonError(place, err)
	}
	if err := b.CacheControl.checkAt(place); err != nil {
		return nil, err
	}
	part, err := b.part(place, role)
	if err != nil || part.Kind == "" {
		return nil, err
	}
	part.Breakpoint, part.Retain = b.CacheControl != nil, b.CacheControl.retention()
	return []Part{part}, nil
}

func (b *block) part(place string, role Role) (Part, error) {
	if want, ok := speaker(b.Type); ok && want != role {
		return Part{}, invalid("%s: a block of type %q belongs in a message of role %q", place, b.Type, want)
	}
	switch b.Type {
	case "text":
		return b.textPart(place)
	case "thinking":
		return b.thinkingPart(place)
	case "redacted_thinking":
		return Part{}, required(place, "data", b.Data)
	case "tool_use":
		return b.toolUsePart(place)
	case "tool_result":
		return b.toolResultPart(place)
	case "image":
		return Part{}, invalid("%s: this model has no vision; send text only", place)
	case "document":
		return Part{}, invalid("%s: this model reads no documents; send their text in a text block", place)
	case "":
		return Part{}, invalid("%s.type: field required", place)
	}
	return Part{}, invalid("%s.type: this content block is not supported here; send text, thinking, redacted_thinking, tool_use or tool_result", place)
}

// speaker is the only role that may use a type of block, if there is just one.
func speaker(kind string) (Role, bool) {
	switch kind {
	case "thinking", "redacted_thinking", "tool_use":
		return Assistant, true
	case "tool_result":
		return User, true
	}
	return "", false
}

func (b *block) textPart(place string) (Part, error) {
	if err := required(place, "text", b.Text); err != nil {
		return Part{}, err
	}
	if *b.Text == "" {
		return Part{}, invalid("%s.text: must not be empty", place)
	}
	return Part{Kind: Text, Text: *b.Text}, nil
}

func (b *block) thinkingPart(place string) (Part, error) {
	if err := required(place, "thinking", b.Thinking); err != nil {
		return Part{}, err
	}
	return Part{Kind: Thinking, Text: *b.Thinking}, nil
}

func (b *block) toolUsePart(place string) (Part, error) {
	switch {
	case b.ID == "":
		return Part{}, invalid("%s.id: field required", place)
	case b.Name == "":
		return Part{}, invalid("%s.name: field required", place)
	case !isObject(b.Input):
		return Part{}, invalid("%s.input: must be an object", place)
	}
	return Part{Kind: ToolUse, ID: b.ID, Name: b.Name, Input: b.Input}, nil
}

func (b *block) toolResultPart(place string) (Part, error) {
	if b.ToolUseID == "" {
		return Part{}, invalid("%s.tool_use_id: field required", place)
	}
	part := Part{Kind: ToolResult, ID: b.ToolUseID, IsError: b.IsError != nil && *b.IsError}
	if absent(b.Content) {
		return part, nil
	}
	inner, err := parseContent(place+".content", b.Content, "")
	if err != nil {
		return part, err
	}
	var text strings.Builder
	for _, p := range inner {
		text.WriteString(p.Text)
		part.Breakpoint, part.Retain = part.Breakpoint || p.Breakpoint, max(part.Retain, p.Retain)
	}
	part.Text = text.String()
	return part, nil
}

// checkTurns refuses conversations whose turns don't fit together.
func checkTurns(c Conversation) error {
	if n := countBreakpoints(c); n > maxBreakpoints {
		return invalid("cache_control: there are %d breakpoints; the most is %d", n, maxBreakpoints)
	}
	spoken := withoutSystem(c.Turns)
	if len(spoken) == 0 || spoken[0].Role != User {
		return invalid("messages: the first message must be the user's")
	}
	calls := map[string]bool{}
	for _, turn := range spoken {
		if turn.Role == Assistant {
			calls = map[string]bool{}
		}
		for _, part := range turn.Parts {
			switch {
			case part.Kind == ToolUse && calls[part.ID]:
				return invalid("messages: two tool_use blocks have the same id")
			case part.Kind == ToolUse:
				calls[part.ID] = true
			case part.Kind == ToolResult && !calls[part.ID]:
				return invalid("messages: a tool_result has a tool_use_id that no tool_use of the message before it has")
			}
		}
	}
	return nil
}

func withoutSystem(turns []Turn) []Turn {
	var spoken []Turn
	for _, turn := range turns {
		if turn.Role != System {
			spoken = append(spoken, turn)
		}
	}
	return spoken
}

func countBreakpoints(c Conversation) int {
	n := 0
	for _, tool := range c.Tools {
		if tool.Breakpoint {
			n++
		}
	}
	for _, turn := range c.Turns {
		for _, part := range turn.Parts {
			if part.Breakpoint {
				n++
			}
		}
	}
	return n
}

// markLast puts a breakpoint after the last part, for a cache_control of the whole request.
func markLast(turns []Turn, retain time.Duration) {
	parts := turns[len(turns)-1].Parts
	last := &parts[len(parts)-1]
	last.Breakpoint, last.Retain = true, max(last.Retain, retain)
}

// retention is the longest time for which a mark wants the conversation's memory kept.
func retention(c Conversation) (longest time.Duration) {
	for _, tool := range c.Tools {
		longest = max(longest, tool.Retain)
	}
	for _, turn := range c.Turns {
		for _, part := range turn.Parts {
			longest = max(longest, part.Retain)
		}
	}
	return longest
}

func required(place, field string, value *string) error {
	if value == nil {
		return invalid("%s.%s: field required", place, field)
	}
	return nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// at names an element of an array.
func at(place string, i int) string { return fmt.Sprintf("%s.%d", place, i) }
