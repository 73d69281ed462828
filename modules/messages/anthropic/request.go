package anthropic

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// body is a request as it is sent. What has several forms is decoded in a second pass. Fields that are not listed
// are accepted and have no effect.
type body struct {
	Model         *string           `json:"model"`
	Messages      []json.RawMessage `json:"messages"`
	System        json.RawMessage   `json:"system"`
	MaxTokens     *int64            `json:"max_tokens"`
	Stream        bool              `json:"stream"`
	Temperature   *float64          `json:"temperature"`
	TopP          *float64          `json:"top_p"`
	TopK          *int64            `json:"top_k"`
	MinP          *float64          `json:"min_p"`
	Seed          *int64            `json:"seed"`
	StopSequences []string          `json:"stop_sequences"`
	Metadata      *metadata         `json:"metadata"`
	Tools         []tool            `json:"tools"`
	ToolChoice    *toolChoice       `json:"tool_choice"`
	CacheControl  *cacheControl     `json:"cache_control"`
	OutputConfig  *outputConfig     `json:"output_config"`
	Thinking      *thinking         `json:"thinking"`
	OutputFormat  json.RawMessage   `json:"output_format"` // where the form was before output_config

	keepsAttribution bool // a setting, not the client's
	hadAttribution   bool // which was left out
}

type metadata struct {
	UserID *string `json:"user_id"`
}

// checkVersion refuses API versions that are not known.
func checkVersion(h http.Header) error {
	versions := []string{"", "2023-06-01", "2026-10-21"}
	if version := h.Get("Anthropic-Version"); !slices.Contains(versions, version) {
		return invalid("anthropic-version: %q is not known; send one of %s", httpapi.Clip(version), strings.Join(versions[1:], ", "))
	}
	return nil
}

// understand checks a body and turns it into a request. temperature is for one that brings none.
func (b *body) understand(temperature float64) (*messages.Request, error) {
	if b.MaxTokens == nil {
		return nil, invalid("max_tokens: field required")
	}
	if *b.MaxTokens < 0 || *b.MaxTokens > 1<<31-1 {
		return nil, invalid("max_tokens: must be between 0 and %d", 1<<31-1)
	}
	sampling, err := b.sampling(temperature)
	if err != nil {
		return nil, err
	}
	if err := checkStops(b.StopSequences); err != nil {
		return nil, err
	}
	r, err := b.prompt()
	if err != nil {
		return nil, err
	}
	r.CallPrefix, r.SingleCall = callPrefix, b.ToolChoice.single()
	r.MaxTokens, r.Sampling, r.Stop = int(*b.MaxTokens), sampling, b.StopSequences
	if r.Thinks = b.Thinking.isWanted(); r.Thinks {
		r.MostThoughts = b.Thinking.budget()
	}
	return r, nil
}

// prompt checks the part of a body that makes the prompt, which is all that counting needs.
func (b *body) prompt() (*messages.Request, error) {
	r := &messages.Request{}
	if b.Model == nil || *b.Model == "" {
		return nil, invalid("model: field required")
	}
	r.Model = *b.Model
	if b.Metadata != nil && b.Metadata.UserID != nil {
		r.Agent = *b.Metadata.UserID
	}
	if r.Agent != "" {
		if err := messages.CheckAgent(r.Agent); err != nil {
			return nil, invalid("metadata.user_id: %v", err)
		}
	}
	conversation, err := b.conversation()
	if err != nil {
		return nil, err
	}
	r.Conversation = conversation
	if r.Conversation.Effort = prompt.ThinkNot; b.Thinking.isWanted() {
		r.Conversation.Effort = prompt.ThinkFirst
	}
	if r.Form, err = b.form(); err != nil {
		return nil, err
	}
	r.Choice, err = b.choice(conversation.Tools)
	return r, err
}

// sampling checks how tokens are to be chosen.
func (b *body) sampling(temperature float64) (engine.Sampling, error) {
	return messages.SamplingFields{
		Temperature: b.Temperature, TopP: b.TopP, MinP: b.MinP, TopK: b.TopK, Seed: b.Seed, MostTemperature: 1,
	}.Sampling(temperature)
}

// checkStops refuses stop sequences that would end every answer or cost too much to look for.
func checkStops(stops []string) error {
	if len(stops) > 64 {
		return invalid("stop_sequences: has %d entries; the most is 64", len(stops))
	}
	for i, stop := range stops {
		if strings.TrimSpace(stop) == "" {
			return invalid("stop_sequences.%d: must contain something other than white space", i)
		}
		if len(stop) > 1024 {
			return invalid("stop_sequences.%d: is longer than 1024 bytes", i)
		}
	}
	return nil
}
