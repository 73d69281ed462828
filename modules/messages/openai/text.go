package openai

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// textBody is a request for the continuation of a text, as it is sent.
type textBody struct {
	Model            string          `json:"model"`
	Prompt           json.RawMessage `json:"prompt"`
	MaxTokens        *int64          `json:"max_tokens"`
	Temperature      *float64        `json:"temperature"`
	TopP             *float64        `json:"top_p"`
	TopK             *int64          `json:"top_k"`
	MinP             *float64        `json:"min_p"`
	Seed             *int64          `json:"seed"`
	Stop             json.RawMessage `json:"stop"`
	Stream           bool            `json:"stream"`
	StreamOptions    *streamOptions  `json:"stream_options"`
	User             string          `json:"user"`
	N                *int64          `json:"n"`
	BestOf           *int64          `json:"best_of"`
	Echo             bool            `json:"echo"`
	Suffix           *string         `json:"suffix"`
	Logprobs         *int64          `json:"logprobs"`
	LogitBias        json.RawMessage `json:"logit_bias"`
	PresencePenalty  *float64        `json:"presence_penalty"`
	FrequencyPenalty *float64        `json:"frequency_penalty"`
}

// fewTokens is the bound of a continuation that brings none, as OpenAI has it.
const fewTokens = 16

// understand checks a body and turns it into a request. temperature is for one that brings none.
func (b *textBody) understand(temperature float64) (*messages.Request, error) {
	switch {
	case b.N != nil && *b.N != 1:
		return nil, invalid("n: this server goes on with a text once; send 1 or leave it out")
	case b.BestOf != nil && *b.BestOf != 1:
		return nil, invalid("best_of: this server gives one choice; send 1 or leave it out")
	case b.Suffix != nil && *b.Suffix != "":
		return nil, invalid("suffix: this server can't write what lies between two texts; leave it out")
	case b.Logprobs != nil:
		return nil, invalid("logprobs: this server does not tell probabilities yet; leave it out")
	}
	most := int64(fewTokens)
	if b.MaxTokens == nil {
		b.MaxTokens = &most
	}
	shared := chatBody{ // what both kinds of requests have in common is checked in one place
		Model: b.Model, MaxTokens: b.MaxTokens, Temperature: b.Temperature, TopP: b.TopP, TopK: b.TopK, MinP: b.MinP, Seed: b.Seed, Stop: b.Stop,
		User: b.User, N: b.N, LogitBias: b.LogitBias, PresencePenalty: b.PresencePenalty, FrequencyPenalty: b.FrequencyPenalty,
	}
	r, err := shared.sampled(temperature)
	if err != nil {
		return nil, err
	}
	r.Text, err = b.prompt()
	return r, err
}

// prompt reads a text, or an array of one.
func (b *textBody) prompt() (*string, error) {
	var texts []string
	switch {
	case messages.IsAbsent(b.Prompt):
		return nil, invalid("prompt: field required")
	case b.Prompt[0] == '"':
		texts = []string{""}
		if err := messages.Fill("prompt", b.Prompt, &texts[0]); err != nil {
			return nil, err
		}
	default:
		if json.Unmarshal(b.Prompt, &texts) != nil {
			return nil, invalid("prompt: must be a text, or an array of one; tokens are not taken, since they mean other texts to other models")
		}
	}
	if len(texts) != 1 {
		return nil, invalid("prompt: has %d texts; this server goes on with one in a request", len(texts))
	}
	return &texts[0], nil
}

// The types of answers, as they are sent and as the OpenAPI document names them.
type (
	completionRequest struct {
		_             struct{}           `json:"-" additionalProperties:"true"`
		Model         string             `json:"model" minLength:"1" doc:"The loaded model, or an alias of it"`
		Prompt        promptParam        `json:"prompt"`
		MaxTokens     int                `json:"max_tokens,omitempty" minimum:"1" maximum:"2147483647" default:"16"`
		Stream        bool               `json:"stream,omitempty"`
		StreamOptions streamOptionsParam `json:"stream_options,omitempty"`
		Temperature   float64            `json:"temperature,omitempty" minimum:"0" maximum:"2"`
		TopP          float64            `json:"top_p,omitempty" minimum:"0" maximum:"1"`
		TopK          int                `json:"top_k,omitempty" minimum:"0" maximum:"2147483647"`
		MinP          float64            `json:"min_p,omitempty" minimum:"0" maximum:"1"`
		Seed          int                `json:"seed,omitempty" doc:"Makes the text repeatable"`
		Presence      float64            `json:"presence_penalty,omitempty" minimum:"-2" maximum:"2"`
		Frequency     float64            `json:"frequency_penalty,omitempty" minimum:"-2" maximum:"2"`
		LogitBias     map[string]float64 `json:"logit_bias,omitempty"`
		Stop          stopParam          `json:"stop,omitempty"`
		Echo          bool               `json:"echo,omitempty" doc:"The text begins with the prompt"`
		User          string             `json:"user,omitempty" maxLength:"256" doc:"Names the agent if no header does"`
	}
	// textCompletion is also a piece of a stream, which has the usage in the last one if stream_options ask for it.
	textCompletion struct {
		ID                string       `json:"id"`
		Object            string       `json:"object" enum:"text_completion"`
		Created           int64        `json:"created" doc:"In seconds since 1970"`
		Model             string       `json:"model"`
		Choices           []textChoice `json:"choices" nullable:"false" doc:"None in the piece of a stream that has the usage"`
		Usage             *chatUsage   `json:"usage,omitempty"`
		SystemFingerprint *string      `json:"system_fingerprint" nullable:"true"`
	}
	textChoice struct {
		Index        int     `json:"index" minimum:"0"`
		Text         string  `json:"text"`
		Logprobs     *string `json:"logprobs" nullable:"true" doc:"Always null"`
		FinishReason *string `json:"finish_reason" nullable:"true" enum:"stop,length"`
	}
)

// goOn answers POST /v1/completions.
func (a *API) goOn(w http.ResponseWriter, r *http.Request) {
	var b textBody
	fail := func(err error) { a.fail(w, r, err) }
	echo := ""
	req, ok := a.cfg.Service.Take(w, r, fail, func(raw []byte) (*messages.Request, error) {
		if err := messages.Decode(raw, &b); err != nil {
			return nil, err
		}
		req, err := b.understand(a.cfg.Service.Temperature())
		if err == nil && b.Echo {
			echo = *req.Text
		}
		return req, err
	})
	if !ok {
		return
	}
	answer, err := a.cfg.Service.Submit(r.Context(), req)
	if err != nil {
		fail(err)
		return
	}
	defer answer.Close()
	c := &continuing{completing{Answer: answer, id: newID("cmpl-"), model: req.Model, created: a.cfg.Clock().Unix()}, echo}
	if b.Stream {
		a.streamText(w, r, c, b.StreamOptions.wantsUsage())
		return
	}
	blocks, err := c.Blocks(r.Context())
	if err != nil {
		fail(err)
		return
	}
	text := echo
	for _, block := range blocks {
		text += block.Text
	}
	result := c.Result()
	reason, usage := finishReason(result), usageOf(result.Usage)
	whole := c.piece(text, &reason)
	whole.Usage = &usage
	httpapi.WriteJSON(w, http.StatusOK, "application/json", whole)
}

// continuing is a continuation on its way to a client.
type continuing struct {
	completing
	echo string // what the text begins with
}

func (c *continuing) piece(text string, reason *string) textCompletion {
	return textCompletion{
		ID: c.id, Object: "text_completion", Created: c.created, Model: c.model, Choices: []textChoice{{Text: text, FinishReason: reason}},
	}
}

// streamText answers with pieces as the text grows.
func (a *API) streamText(w http.ResponseWriter, r *http.Request, c *continuing, wantsUsage bool) {
	out := beginStream(w)
	out.send(c.piece(c.echo, nil))
	for out.err == nil {
		event, err := c.Next(r.Context())
		switch {
		case errors.Is(err, messages.ErrSilence):
			out.beat()
		case errors.Is(err, io.EOF):
			result := c.Result()
			reason, usage := finishReason(result), usageOf(result.Usage)
			out.send(c.piece("", &reason))
			if wantsUsage {
				last := c.piece("", nil)
				last.Choices, last.Usage = []textChoice{}, &usage
				out.send(last)
			}
			out.write("data: [DONE]\n\n")
			return
		case err != nil:
			a.breakStream(r, out, err)
			return
		case event.Kind == messages.BlockDelta:
			out.send(c.piece(event.Block.Text, nil))
		}
	}
}
