package openai

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// chatBody is a request as it is sent. What has several forms is decoded in a second pass. Fields that are not listed are
// accepted and have no effect; those that are refused would change the answer.
type chatBody struct {
	Model               string            `json:"model"`
	Messages            []json.RawMessage `json:"messages"`
	MaxTokens           *int64            `json:"max_tokens"`
	MaxCompletionTokens *int64            `json:"max_completion_tokens"`
	Temperature         *float64          `json:"temperature"`
	TopP                *float64          `json:"top_p"`
	TopK                *int64            `json:"top_k"` // not OpenAI's; what runs local models sends them
	MinP                *float64          `json:"min_p"`
	Seed                *int64            `json:"seed"`
	Stop                json.RawMessage   `json:"stop"`
	Stream              bool              `json:"stream"`
	StreamOptions       *streamOptions    `json:"stream_options"`
	Tools               []toolBody        `json:"tools"`
	ToolChoice          json.RawMessage   `json:"tool_choice"`
	ParallelToolCalls   *bool             `json:"parallel_tool_calls"`
	User                string            `json:"user"`

	ReasoningEffort  *string   `json:"reasoning_effort"`
	TemplateSettings *struct { // not OpenAI's; what runs local models sends it
		EnableThinking *bool `json:"enable_thinking"`
	} `json:"chat_template_kwargs"`

	N                *int64          `json:"n"`
	Logprobs         *bool           `json:"logprobs"`
	TopLogprobs      *int64          `json:"top_logprobs"`
	LogitBias        json.RawMessage `json:"logit_bias"`
	PresencePenalty  *float64        `json:"presence_penalty"`
	FrequencyPenalty *float64        `json:"frequency_penalty"`
	ResponseFormat   *responseFormat `json:"response_format"`
	Functions        json.RawMessage `json:"functions"`
	FunctionCall     json.RawMessage `json:"function_call"`
	Modalities       []string        `json:"modalities"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

func (o *streamOptions) wantsUsage() bool { return o != nil && o.IncludeUsage }

// understand checks a body and turns it into a request. temperature is for one that brings none.
func (b *chatBody) understand(temperature float64) (*messages.Request, error) {
	r, err := b.sampled(temperature)
	if err != nil {
		return nil, err
	}
	r.SingleCall = b.ParallelToolCalls != nil && !*b.ParallelToolCalls
	if r.Conversation, err = b.conversation(); err != nil {
		return nil, err
	}
	r.Conversation.Effort = b.effort()
	if r.Form, err = b.ResponseFormat.form(); err != nil {
		return nil, err
	}
	r.Choice, err = b.choice(r.Conversation.Tools)
	return r, err
}

// sampled is the request without what it is about: who asks whom, and how tokens are chosen.
func (b *chatBody) sampled(temperature float64) (*messages.Request, error) {
	if b.Model == "" {
		return nil, invalid("model: field required")
	}
	if err := b.refuse(); err != nil {
		return nil, err
	}
	r := &messages.Request{Model: b.Model, Agent: b.User, CallPrefix: callPrefix, Thinks: true}
	if r.Agent != "" {
		if err := messages.CheckAgent(r.Agent); err != nil {
			return nil, invalid("user: %v", err)
		}
	}
	var err error
	if r.MaxTokens, err = b.mostTokens(); err != nil {
		return nil, err
	}
	if r.Sampling, err = b.sampling(temperature); err != nil {
		return nil, err
	}
	if r.Sampling.Tells = b.tells(); b.TopLogprobs != nil {
		r.Sampling.Likely = int(*b.TopLogprobs)
	}
	r.Stop, err = stops(b.Stop)
	return r, err
}

// effort is whether the model is to think.
func (b *chatBody) effort() prompt.Effort {
	if b.TemplateSettings != nil && b.TemplateSettings.EnableThinking != nil {
		if *b.TemplateSettings.EnableThinking {
			return prompt.ThinkFirst
		}
		return prompt.ThinkNot
	}
	return effortOf(b.ReasoningEffort)
}

// effortOf reads how hard the model is to think: whether, for what is known here.
func effortOf(effort *string) prompt.Effort {
	switch {
	case effort == nil || *effort == "":
		return prompt.ThinkAsTrained
	case *effort == "none" || *effort == "minimal":
		return prompt.ThinkNot
	}
	return prompt.ThinkFirst
}

// refuse refuses what this server can't do and what would make another answer if it were left aside.
func (b *chatBody) refuse() error {
	switch {
	case b.N != nil && (*b.N < 1 || *b.N > mostChoices):
		return invalid("n: must be between 1 and %d", mostChoices)
	case b.TopLogprobs != nil && (*b.TopLogprobs < 0 || *b.TopLogprobs > mostLikely):
		return invalid("top_logprobs: must be between 0 and %d", mostLikely)
	case b.TopLogprobs != nil && *b.TopLogprobs > 0 && !b.tells():
		return invalid("top_logprobs: is for logprobs; send logprobs true as well")
	case !messages.IsAbsent(b.Functions) || !messages.IsAbsent(b.FunctionCall):
		return invalid("functions: these were replaced by tools; send tools and tool_choice")
	}
	for _, modality := range b.Modalities {
		if modality != "text" {
			return invalid("modalities: this model writes text only")
		}
	}
	return nil
}

const (
	mostChoices = 16
	mostLikely  = 20 // tokens at a place, as OpenAI has it
)

func (b *chatBody) tells() bool { return b.Logprobs != nil && *b.Logprobs }

// choices is how many answers are wanted.
func (b *chatBody) choices() int {
	if b.N == nil {
		return 1
	}
	return int(*b.N)
}

// asManyAsFit is the bound of an answer that brings none: it ends with the context.
const asManyAsFit = 1<<31 - 1

func (b *chatBody) mostTokens() (int, error) {
	for name, given := range map[string]*int64{"max_completion_tokens": b.MaxCompletionTokens, "max_tokens": b.MaxTokens} {
		if given != nil && (*given < 1 || *given > asManyAsFit) {
			return 0, invalid("%s: must be between 1 and %d", name, asManyAsFit)
		}
	}
	switch {
	case b.MaxCompletionTokens != nil:
		return int(*b.MaxCompletionTokens), nil
	case b.MaxTokens != nil:
		return int(*b.MaxTokens), nil
	}
	return asManyAsFit, nil
}

// sampling checks how tokens are to be chosen.
func (b *chatBody) sampling(temperature float64) (engine.Sampling, error) {
	bias, err := readBias(b.LogitBias)
	if err != nil {
		return engine.Sampling{}, err
	}
	return messages.SamplingFields{
		Temperature: b.Temperature, TopP: b.TopP, MinP: b.MinP, TopK: b.TopK, Seed: b.Seed, MostTemperature: 2,
		Presence: b.PresencePenalty, Frequency: b.FrequencyPenalty, Bias: bias,
	}.Sampling(temperature)
}

const (
	mostBiases = 1024
	mostBias   = 100
)

// readBias reads logit_bias: what is added to the logits of tokens, by their ids in the loaded model's vocabulary.
func readBias(raw json.RawMessage) (map[int32]float32, error) {
	if messages.IsAbsent(raw) {
		return nil, nil
	}
	var sent map[string]float64
	if json.Unmarshal(raw, &sent) != nil {
		return nil, invalid("logit_bias: must be an object of numbers by the ids of tokens")
	}
	if len(sent) > mostBiases {
		return nil, invalid("logit_bias: has %d tokens; the most is %d", len(sent), mostBiases)
	}
	all := map[int32]float32{}
	for name, bias := range sent {
		token, err := strconv.ParseInt(name, 10, 32)
		if err != nil || token < 0 {
			return nil, invalid("logit_bias: its keys must be ids of tokens")
		}
		if math.Abs(bias) > mostBias {
			return nil, invalid("logit_bias: its values must be between -%d and %d", mostBias, mostBias)
		}
		all[int32(token)] = float32(bias)
	}
	return all, nil
}

const (
	mostStops   = 64
	longestStop = 1024 // bytes
)

// stops reads stop: a string, or an array of them.
func stops(raw json.RawMessage) (all []string, err error) {
	if messages.IsAbsent(raw) {
		return nil, nil
	}
	if raw[0] == '"' {
		all = []string{""}
		err = messages.Fill("stop", raw, &all[0])
	} else {
		err = messages.Fill("stop", raw, &all)
	}
	if err != nil {
		return nil, err
	}
	if len(all) > mostStops {
		return nil, invalid("stop: has %d entries; the most is %d", len(all), mostStops)
	}
	for _, stop := range all {
		if stop == "" || len(stop) > longestStop {
			return nil, invalid("stop: entries have between 1 and %d bytes", longestStop)
		}
	}
	return all, nil
}
