package openai

import (
	"encoding/json"

	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// responseBody is a request for a response, as it is sent. Fields that are not listed are accepted and have no effect; those
// that are refused would change the answer. Nothing is stored: whoever goes on sends all that was said.
type responseBody struct {
	Model              string          `json:"model"`
	Input              json.RawMessage `json:"input"`
	Instructions       *string         `json:"instructions"`
	MaxOutputTokens    *int64          `json:"max_output_tokens"`
	Temperature        *float64        `json:"temperature"`
	TopP               *float64        `json:"top_p"`
	TopK               *int64          `json:"top_k"`
	MinP               *float64        `json:"min_p"`
	Seed               *int64          `json:"seed"`
	Stream             bool            `json:"stream"`
	Tools              []responseTool  `json:"tools"`
	ToolChoice         json.RawMessage `json:"tool_choice"`
	ParallelToolCalls  *bool           `json:"parallel_tool_calls"`
	Text               *responseText   `json:"text"`
	Reasoning          *reasoning      `json:"reasoning"`
	User               string          `json:"user"`
	PromptCacheKey     string          `json:"prompt_cache_key"`
	PreviousResponseID *string         `json:"previous_response_id"`
	Conversation       json.RawMessage `json:"conversation"`
	Background         bool            `json:"background"`
	TopLogprobs        *int64          `json:"top_logprobs"`
}

// reasoning says how hard the model is to think.
type reasoning struct {
	Effort *string `json:"effort"`
}

// responseText says how the text of the answer is to be.
type responseText struct {
	Format *struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"`
	} `json:"format"`
}

// form is what the answer is held to; nil for any text.
func (t *responseText) form() (*messages.Form, error) {
	if t == nil || t.Format == nil {
		return nil, nil
	}
	switch t.Format.Type {
	case "text":
		return nil, nil
	case "json_object":
		return &messages.Form{Schema: []byte(grammar.AnyObject), Place: "text.format"}, nil
	case "json_schema":
		if !messages.IsObject(t.Format.Schema) {
			return nil, invalid("text.format.schema: must be a JSON schema object")
		}
		return &messages.Form{Schema: t.Format.Schema, Place: "text.format.schema"}, nil
	}
	return nil, invalid("text.format.type: must be \"text\", \"json_object\" or \"json_schema\"")
}

// understand checks a body and turns it into a request. temperature is for one that brings none.
func (b *responseBody) understand(temperature float64) (*messages.Request, error) {
	if err := b.refuse(); err != nil {
		return nil, err
	}
	shared := chatBody{ // what all requests have in common is checked in one place
		Model: b.Model, MaxTokens: b.MaxOutputTokens, Temperature: b.Temperature, TopP: b.TopP, TopK: b.TopK, MinP: b.MinP, Seed: b.Seed,
		User: b.User,
	}
	r, err := shared.sampled(temperature)
	if err != nil {
		return nil, err
	}
	if r.Agent == "" && messages.CheckAgent(b.PromptCacheKey) == nil { // a hint: one that can't name an agent names none
		r.Agent = b.PromptCacheKey
	}
	r.SingleCall = b.ParallelToolCalls != nil && !*b.ParallelToolCalls
	if r.Conversation.Turns, err = b.turns(); err != nil {
		return nil, err
	}
	r.Conversation.Next = b.answerPlace()
	if b.Reasoning != nil {
		r.Conversation.Effort = effortOf(b.Reasoning.Effort)
	}
	if r.Conversation.Tools, err = b.offered(); err != nil {
		return nil, err
	}
	if r.Form, err = b.Text.form(); err != nil {
		return nil, err
	}
	r.Choice, err = b.choice(r.Conversation.Tools)
	return r, err
}

// refuse refuses what this server can't do and what would make another answer if it were left aside.
func (b *responseBody) refuse() error {
	switch {
	case b.PreviousResponseID != nil && *b.PreviousResponseID != "":
		return invalid("previous_response_id: this server stores no responses; send all of the input, what was said before is read from the cache")
	case !messages.IsAbsent(b.Conversation):
		return invalid("conversation: this server stores no conversations; send all of the input, what was said before is read from the cache")
	case b.Background:
		return invalid("background: this server answers at once; leave it out")
	case b.TopLogprobs != nil && *b.TopLogprobs != 0:
		return invalid("top_logprobs: this server does not tell probabilities yet; leave it out")
	case b.MaxOutputTokens != nil && (*b.MaxOutputTokens < 1 || *b.MaxOutputTokens > asManyAsFit):
		return invalid("max_output_tokens: must be between 1 and %d", asManyAsFit)
	}
	return nil
}
