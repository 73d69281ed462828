package anthropic

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// turnBody is a message as it is received.
type turnBody struct {
	Role         string          `json:"role"`
	Content      json.RawMessage `json:"content"`
	OutputConfig *outputConfig   `json:"output_config"`
}

// block is a content block of any kind, as it is sent.
type block struct {
	Type         string          `json:"type"`
	Text         *string         `json:"text"`
	Thinking     *string         `json:"thinking"`
	Signature    string          `json:"signature"`
	Data         *string         `json:"data"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Input        json.RawMessage `json:"input"`
	ToolUseID    string          `json:"tool_use_id"`
	Content      json.RawMessage `json:"content"`
	IsError      *bool           `json:"is_error"`
	CacheControl *cacheControl   `json:"cache_control"`
}

const (
	// mostMessages is how many messages a request may have, as on Anthropic's own service.
	mostMessages = 100_000
	// mostBlocks is how many content blocks all messages may have: decoded, a short one takes ten times its bytes.
	mostBlocks = 100_000
)

// conversation checks and collects all that makes the prompt.
func (b *body) conversation() (prompt.Conversation, error) {
	var c prompt.Conversation
	var err error
	if c.Tools, err = b.tools(); err != nil {
		return c, err
	}
	if c.Turns, err = systemTurn(b.System); err != nil {
		return c, err
	}
	if !b.keepsAttribution {
		c.Turns, b.hadAttribution = withoutAttribution(c.Turns)
	}
	if n := len(b.Messages); n == 0 || n > mostMessages {
		return c, invalid("messages: at least one message is required, and at most %d; there are %d", mostMessages, n)
	}
	blocks := 0
	for i, raw := range b.Messages {
		turn, silent, err := parseMessage(messages.At("messages", i), raw)
		if err != nil {
			return c, err
		}
		if blocks += len(turn.Parts); blocks > mostBlocks {
			return c, invalid("messages.%d.content: has the last of more than %d content blocks, which is too many", i, mostBlocks)
		}
		if len(turn.Parts) > 0 {
			c.Turns = append(c.Turns, turn)
			continue
		}
		if last := i == len(b.Messages)-1; !silent && (!last || turn.Role != prompt.Assistant || len(c.Turns) == 0) {
			return c, invalid("messages.%d.content: must not be empty", i)
		}
	}
	if err := b.CacheControl.checkAt("body"); err != nil {
		return c, err
	}
	if b.CacheControl != nil && len(c.Turns) > 0 {
		markLast(c.Turns, b.CacheControl.retention())
	}
	if len(c.Turns) > 0 {
		c.Continue = c.Turns[len(c.Turns)-1].Role == prompt.Assistant
	}
	c.Next = messages.At("messages", len(b.Messages)) + ".content"
	return c, checkTurns(c)
}

// systemTurn reads the system prompt: a string, or text blocks.
func systemTurn(raw json.RawMessage) ([]prompt.Turn, error) {
	if messages.IsAbsent(raw) {
		return nil, nil
	}
	parts, err := parseContent("system", raw, prompt.System)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	for i := range parts {
		if raw[0] == '[' {
			parts[i].Place += ".text"
		}
	}
	return []prompt.Turn{{Role: prompt.System, Parts: parts}}, nil
}

// parseMessage reads a message. One without parts is silent if it may be left out wherever it stands: a system turn that
// only carries settings, or an assistant's thoughts that only its own service can read.
func parseMessage(place string, raw json.RawMessage) (turn prompt.Turn, silent bool, err error) {
	var m turnBody
	if err := messages.Fill(place, raw, &m); err != nil {
		return turn, false, err
	}
	role := prompt.Role(m.Role)
	if role != prompt.User && role != prompt.Assistant && role != prompt.System {
		return turn, false, invalid("%s.role: must be \"user\", \"assistant\" or \"system\"", place)
	}
	if err := m.OutputConfig.checkAt(place + ".output_config"); err != nil {
		return turn, false, err
	}
	if messages.IsAbsent(m.Content) {
		if role == prompt.System && m.OutputConfig != nil {
			return prompt.Turn{Role: role}, true, nil
		}
		return turn, false, invalid("%s.content: field required", place)
	}
	parts, err := parseContent(place+".content", m.Content, role)
	if err != nil {
		return turn, false, err
	}
	silent = role == prompt.System || role == prompt.Assistant && !empty(m.Content)
	return prompt.Turn{Role: role, Parts: parts}, silent, nil
}

// parseContent reads content: a string, or an array of blocks.
func parseContent(place string, raw json.RawMessage, role prompt.Role) ([]prompt.Part, error) {
	if raw[0] == '"' {
		var text string
		if err := messages.Fill(place, raw, &text); err != nil {
			return nil, err
		}
		if text == "" {
			return nil, nil
		}
		return []prompt.Part{{Kind: prompt.Text, Place: place, Text: text}}, nil
	}
	if raw[0] != '[' {
		return nil, invalid("%s: must be a string or an array of content blocks", place)
	}
	var blocks []json.RawMessage
	if err := messages.Fill(place, raw, &blocks); err != nil {
		return nil, err
	}
	if len(blocks) > mostBlocks {
		return nil, invalid("%s: has %d content blocks; the most is %d", place, len(blocks), mostBlocks)
	}
	parts := make([]prompt.Part, 0, len(blocks))
	for i, raw := range blocks {
		more, err := parseBlock(messages.At(place, i), raw, role)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	return parts, nil
}

// parseBlock reads a content block. One that says nothing to the model gives no part.
func parseBlock(place string, raw json.RawMessage, role prompt.Role) ([]prompt.Part, error) {
	var b block
	if err := messages.Fill(place, raw, &b); err != nil {
		return nil, err
	}
	if err := b.CacheControl.checkAt(place); err != nil {
		return nil, err
	}
	part, err := b.part(place, role)
	if err != nil || part.Kind == "" {
		return nil, err
	}
	part.Breakpoint, part.Retain, part.Place = b.CacheControl != nil, b.CacheControl.retention(), place
	return []prompt.Part{part}, nil
}

func (b *block) part(place string, role prompt.Role) (prompt.Part, error) {
	if want, ok := speaker(b.Type); ok && want != role {
		return prompt.Part{}, invalid("%s: a block of type %q belongs in a message of role %q", place, b.Type, want)
	}
	switch b.Type {
	case "text":
		return b.textPart(place)
	case "thinking":
		return b.thinkingPart(place)
	case "redacted_thinking":
		return prompt.Part{}, required(place, "data", b.Data)
	case "tool_use":
		return b.toolUsePart(place)
	case "tool_result":
		return b.toolResultPart(place)
	case "image":
		return prompt.Part{}, invalid("%s: this model has no vision; send text only", place)
	case "document":
		return prompt.Part{}, invalid("%s: this model reads no documents; send their text in a text block", place)
	case "":
		return prompt.Part{}, invalid("%s.type: field required", place)
	}
	return prompt.Part{}, invalid("%s.type: this content block is not supported here; send text, thinking, redacted_thinking, tool_use or tool_result", place)
}

// speaker is the only role that may use a type of block, if there is just one.
func speaker(kind string) (prompt.Role, bool) {
	switch kind {
	case "thinking", "redacted_thinking", "tool_use":
		return prompt.Assistant, true
	case "tool_result":
		return prompt.User, true
	}
	return "", false
}

func (b *block) textPart(place string) (prompt.Part, error) {
	if err := required(place, "text", b.Text); err != nil {
		return prompt.Part{}, err
	}
	if *b.Text == "" {
		return prompt.Part{}, invalid("%s.text: must not be empty", place)
	}
	return prompt.Part{Kind: prompt.Text, Text: *b.Text}, nil
}

func (b *block) thinkingPart(place string) (prompt.Part, error) {
	if err := required(place, "thinking", b.Thinking); err != nil {
		return prompt.Part{}, err
	}
	return prompt.Part{Kind: prompt.Thinking, Text: *b.Thinking, Signature: b.Signature}, nil
}

func (b *block) toolUsePart(place string) (prompt.Part, error) {
	switch {
	case b.ID == "":
		return prompt.Part{}, invalid("%s.id: field required", place)
	case b.Name == "":
		return prompt.Part{}, invalid("%s.name: field required", place)
	case !messages.IsObject(b.Input):
		return prompt.Part{}, invalid("%s.input: must be an object", place)
	}
	return prompt.Part{Kind: prompt.ToolUse, ID: b.ID, Name: b.Name, Input: b.Input}, nil
}

func (b *block) toolResultPart(place string) (prompt.Part, error) {
	if b.ToolUseID == "" {
		return prompt.Part{}, invalid("%s.tool_use_id: field required", place)
	}
	part := prompt.Part{Kind: prompt.ToolResult, ID: b.ToolUseID, IsError: b.IsError != nil && *b.IsError}
	if messages.IsAbsent(b.Content) {
		return part, nil
	}
	inner, err := parseContent(place+".content", b.Content, "")
	if err != nil {
		return part, err
	}
	var texts []string
	for _, p := range inner {
		texts = append(texts, p.Text)
		part.Breakpoint, part.Retain = part.Breakpoint || p.Breakpoint, max(part.Retain, p.Retain)
	}
	part.Text = strings.Join(texts, "\n") // each block is a thing of its own, such as a file
	return part, nil
}

// checkTurns refuses conversations whose turns don't fit together.
func checkTurns(c prompt.Conversation) error {
	if n := countBreakpoints(c); n > maxBreakpoints {
		return invalid("cache_control: there are %d breakpoints; the most is %d", n, maxBreakpoints)
	}
	spoken := withoutSystem(c.Turns)
	if len(spoken) == 0 || spoken[0].Role != prompt.User {
		return invalid("messages: the first message must be the user's")
	}
	calls := map[string]bool{}
	for _, turn := range spoken {
		if turn.Role == prompt.Assistant {
			calls = map[string]bool{}
		}
		for _, part := range turn.Parts {
			switch {
			case part.Kind == prompt.ToolUse && calls[part.ID]:
				return invalid("messages: two tool_use blocks have the same id")
			case part.Kind == prompt.ToolUse:
				calls[part.ID] = true
			case part.Kind == prompt.ToolResult && !calls[part.ID]:
				return invalid("messages: a tool_result has a tool_use_id that no tool_use of the message before it has")
			}
		}
	}
	if c.Continue {
		return checkContinued(c.Turns[len(c.Turns)-1].Parts)
	}
	return nil
}

// checkContinued refuses a last turn of the assistant that can't be gone on with as it is: a call waits for its result,
// and the model's own tokens begin with the space that would be behind the text.
func checkContinued(parts []prompt.Part) error {
	for _, part := range parts {
		if part.Kind == prompt.ToolUse {
			return invalid("messages: the last message has a tool_use; its tool_result must follow in a message of the user")
		}
	}
	if text := parts[len(parts)-1].Text; strings.TrimRightFunc(text, unicode.IsSpace) != text {
		return invalid("messages: final assistant content cannot end with trailing whitespace")
	}
	return nil
}

func withoutSystem(turns []prompt.Turn) []prompt.Turn {
	var spoken []prompt.Turn
	for _, turn := range turns {
		if turn.Role != prompt.System {
			spoken = append(spoken, turn)
		}
	}
	return spoken
}

func countBreakpoints(c prompt.Conversation) int {
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
func markLast(turns []prompt.Turn, retain time.Duration) {
	parts := turns[len(turns)-1].Parts
	last := &parts[len(parts)-1]
	last.Breakpoint, last.Retain = true, max(last.Retain, retain)
}

func required(place, field string, value *string) error {
	if value == nil {
		return invalid("%s.%s: field required", place, field)
	}
	return nil
}

// empty tells whether content is an empty string or array.
func empty(raw json.RawMessage) bool {
	return raw[0] == '"' && len(raw) == 2 || raw[0] == '[' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}
