package anthropic

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// usageOf splits the prompt: what was read from a tier, what was computed up to the last breakpoint, and the rest.
func usageOf(counted engine.Usage) usage {
	created := max(0, counted.Marked-counted.Cached)
	return usage{
		Input:         counted.Prompt - counted.Cached - created,
		CacheCreation: created,
		CacheRead:     counted.Cached,
		Output:        counted.Generated,
	}
}

// writing is an answer on its way to a client.
type writing struct {
	*messages.Answer
	id    string
	model string // as the client named it
}

// opening is the message before anything is generated, with what is known of its usage.
func (w *writing) opening(known engine.Usage) message {
	return message{
		ID: w.id, Type: "message", Role: string(prompt.Assistant), Model: w.model, Content: []answerBlock{},
		Usage: usageOf(known),
	}
}

// message is the whole message, once it is finished.
func (w *writing) message(blocks []messages.Block) message {
	result := w.Result()
	m := w.opening(result.Usage)
	for _, b := range blocks {
		m.Content = append(m.Content, blockOf(b))
	}
	m.StopReason, m.StopSequence = ending(result)
	return m
}

// blockOf is a block of the core as it is sent.
func blockOf(b messages.Block) answerBlock {
	switch b.Kind {
	case prompt.ToolUse:
		return answerBlock{toolUseBlock{"tool_use", b.ID, b.Name, object(cmp.Or(b.Text, "{}"))}}
	case prompt.Thinking:
		return answerBlock{thinkingBlock{"thinking", b.Text, b.Signature}}
	}
	return answerBlock{textBlock{"text", b.Text}}
}

// ending tells why an answer ended, in the API's words.
func ending(result messages.Result) (reason, sequence *string) {
	why := stopReason(result)
	if result.Reason == engine.StopString {
		sequence = &result.StopString
	}
	return &why, sequence
}

func stopReason(result messages.Result) string {
	switch result.Reason {
	case engine.StopLimit:
		return "max_tokens"
	case engine.StopString:
		return "stop_sequence"
	case engine.StopNoRoom:
		return "model_context_window_exceeded"
	}
	if result.Calls > 0 {
		return "tool_use"
	}
	return "end_turn"
}

func newMessageID() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return "msg_" + hex.EncodeToString(random[:])
}
