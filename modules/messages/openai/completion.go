package openai

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// The types of answers, as they are sent and as the OpenAPI document names them.
type (
	chatCompletion struct {
		ID                string       `json:"id"`
		Object            string       `json:"object" enum:"chat.completion"`
		Created           int64        `json:"created" doc:"In seconds since 1970"`
		Model             string       `json:"model"`
		Choices           []chatChoice `json:"choices" nullable:"false"`
		Usage             chatUsage    `json:"usage"`
		SystemFingerprint *string      `json:"system_fingerprint" nullable:"true"`
	}
	chatChoice struct {
		Index        int           `json:"index" minimum:"0"`
		Message      chatMessage   `json:"message"`
		Logprobs     maybeLogprobs `json:"logprobs"`
		FinishReason string        `json:"finish_reason" enum:"stop,length,tool_calls"`
	}
	chatMessage struct {
		Role      string     `json:"role" enum:"assistant"`
		Content   *string    `json:"content" nullable:"true"`
		Refusal   *string    `json:"refusal" nullable:"true"`
		Reasoning *string    `json:"reasoning_content,omitempty" doc:"What the model thought before it answered, if it is one that does"`
		ToolCalls []toolCall `json:"tool_calls,omitempty" nullable:"false"`
	}
	toolCall struct {
		ID       string           `json:"id"`
		Type     string           `json:"type" enum:"function"`
		Function toolCallFunction `json:"function"`
	}
	toolCallFunction struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments" doc:"A JSON object"`
	}
	// chatUsage counts tokens.
	chatUsage struct {
		Prompt        int                     `json:"prompt_tokens" minimum:"0"`
		Completion    int                     `json:"completion_tokens" minimum:"0"`
		Total         int                     `json:"total_tokens" minimum:"0"`
		PromptDetails chatPromptTokensDetails `json:"prompt_tokens_details"`
	}
	chatPromptTokensDetails struct {
		Cached int `json:"cached_tokens" minimum:"0" doc:"Of the prompt's tokens those that were read from a tier of the cache"`
	}
)

func usageOf(counted engine.Usage) chatUsage {
	return chatUsage{counted.Prompt, counted.Generated, counted.Prompt + counted.Generated, chatPromptTokensDetails{counted.Cached}}
}

// completing is an answer on its way to a client.
type completing struct {
	*messages.Answer
	id      string
	model   string // as the client named it
	created int64
	index   int  // among the choices
	tells   bool // how likely its tokens were
}

// choice is the whole answer, once it is finished.
func (c *completing) choice(blocks []messages.Block) chatChoice {
	return chatChoice{Index: c.index, Message: messageOf(blocks), Logprobs: c.logprobs(), FinishReason: finishReason(c.Result())}
}

// messageOf joins the texts of an answer, and lists its calls.
func messageOf(blocks []messages.Block) chatMessage {
	m := chatMessage{Role: string(prompt.Assistant)}
	var text strings.Builder
	for _, block := range blocks {
		if block.Kind == prompt.Thinking {
			m.Reasoning = &block.Text
			continue
		}
		if block.Kind == prompt.ToolUse {
			m.ToolCalls = append(m.ToolCalls, toolCall{block.ID, "function", toolCallFunction{block.Name, cmp.Or(block.Text, "{}")}})
			continue
		}
		text.WriteString(block.Text)
	}
	if said := text.String(); said != "" || len(m.ToolCalls) == 0 {
		m.Content = &said
	}
	return m
}

// finishReason tells why an answer ended, in the API's words.
func finishReason(result messages.Result) string {
	switch {
	case result.Reason == engine.StopLimit || result.Reason == engine.StopNoRoom:
		return "length"
	case result.Calls > 0:
		return "tool_calls"
	}
	return "stop"
}

func newID(prefix string) string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	return prefix + hex.EncodeToString(random[:])
}
