// Package prompt turns conversations into a model's own tokens: it renders them with the model's chat
// template, encodes the text, and finds where in it the assistant's answers lie. It knows no API: the
// surfaces translate theirs into a Conversation.
package prompt

import (
	"encoding/json"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
)

// Rendered is a conversation in the model's tokens.
type Rendered struct {
	Calls    toolcall.Syntax // in which the model writes calls of the conversation's tools
	Thoughts Thoughts        // how the answer has what the model thinks
	// NewDecoder and Spelling are for the answer: they let marks of calls and thoughts through. Nil: those of
	// the renderer.
	NewDecoder func() engine.TextDecoder
	Spelling   prefix.Spelling

	Tokens  []int32       // canonical
	Answers []prefix.Span // texts of the assistant's turns, as far as they lie between borders of tokens
	Marked  int           // tokens up to and with the last part or tool that has a Breakpoint; 0 without any
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
	Effort   Effort // of thinking before the answer
	Continue bool   // the last turn is the assistant's, and the answer goes on where it ends
	Most     int    // tokens, beyond which it need not be encoded; 0: all are wanted
	// Next is where in the caller's JSON the answer will stand when it comes back, as of Part.Place.
	Next string
}

// Turn is what one side said. Turns of the same role may follow each other.
type Turn struct {
	Role  Role
	Parts []Part
	// Sampled is the text that the model wrote for this turn, if it is known and the parts are what was read
	// from it. It is the turn, where the template writes it as it would be written behind its generation
	// prompt.
	Sampled string
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
	Place      string          // in the caller's JSON: names and indexes with dots between, such as messages.7.content.1
	Text       string          // of Text, Thinking and ToolResult
	ID         string          // of the call, with ToolUse and ToolResult
	Name       string          // of the tool, with ToolUse
	Input      json.RawMessage // a JSON object, with ToolUse
	IsError    bool            // with ToolResult: the tool failed
	Breakpoint bool            // a cache breakpoint lies after this part
	Retain     time.Duration   // that the breakpoint wants the memory kept for
	Signature  string          // with Thinking, as the client sent it
}

// Tool is a tool that the model may call.
type Tool struct {
	Name        string
	Description string
	InputSchema json.RawMessage // a JSON object
	Place       string          // in the caller's JSON, as of Part
	Strict      bool            // the arguments of its calls are held to the schema, not only shown it
	Breakpoint  bool
	Retain      time.Duration
}
