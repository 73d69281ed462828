package messages

import (
	"context"
	"encoding/json"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// Prompter turns conversations into the model's own tokens, and its tokens into text.
type Prompter interface {
	// Prompt renders a conversation. It returns a *RefusedError for one that the model's chat template can't express.
	Prompt(ctx context.Context, c Conversation) (Prompt, error)
	// NewDecoder returns a decoder for one answer.
	NewDecoder() engine.TextDecoder
	// Spelling knows the ways in which tokens spell a text, or is nil.
	Spelling() engine.Spelling
}

// Prompt is a rendered conversation.
type Prompt struct {
	Tokens []int32
	Marked int // tokens up to and with the last part that has a Breakpoint; 0 without any
}

// RefusedError says why a conversation can't be rendered, in words for the client.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string {
	return "the conversation can't be rendered for this model: " + e.Reason
}

// Role says who speaks in a turn.
type Role string

// The roles. System turns come first, or where the client put them.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
)

// Conversation is what the model is asked to go on with, whatever API it came by.
type Conversation struct {
	Turns    []Turn
	Tools    []Tool
	Continue bool // the last turn is the assistant's, and the answer goes on where it ends
}

// Turn is what one side said. Turns of the same role may follow each other.
type Turn struct {
	Role  Role
	Parts []Part
}

// Kind tells what a part is.
type Kind string

// The kinds of parts. Their fields are told at Part.
const (
	Text       Kind = "text"
	Thinking   Kind = "thinking"
	ToolUse    Kind = "tool_use"
	ToolResult Kind = "tool_result"
)

// Part is a piece of a turn.
type Part struct {
	Kind       Kind
	Text       string          // of Text, Thinking and ToolResult
	ID         string          // of the call, with ToolUse and ToolResult
	Name       string          // of the tool, with ToolUse
	Input      json.RawMessage // a JSON object, with ToolUse
	IsError    bool            // with ToolResult: the tool failed
	Breakpoint bool            // a cache_control breakpoint lies after this part
	Retain     time.Duration   // that the breakpoint wants the memory kept for
}

// Tool is a tool that the model may call.
type Tool struct {
	Name        string
	Description string
	InputSchema json.RawMessage // a JSON object
	Breakpoint  bool
	Retain      time.Duration
}
