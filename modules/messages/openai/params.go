package openai

import (
	"reflect"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// The types of requests, as the OpenAPI document names them. Bodies are read into chatBody and turnBody, which tell a client
// more exactly what is wrong; a test holds that these know every field that is named here. Fields that are not named are
// accepted.
type (
	chatCompletionRequest struct {
		_                   struct{}           `json:"-" additionalProperties:"true"`
		Model               string             `json:"model" minLength:"1" doc:"The loaded model, or an alias of it"`
		Messages            []chatMessageParam `json:"messages" nullable:"false" minItems:"1" maxItems:"100000"`
		MaxCompletionTokens int                `json:"max_completion_tokens,omitempty" minimum:"1" maximum:"2147483647" doc:"Without it the answer may fill the context"`
		MaxTokens           int                `json:"max_tokens,omitempty" minimum:"1" maximum:"2147483647" doc:"The same, by its former name"`
		Stream              bool               `json:"stream,omitempty"`
		StreamOptions       streamOptionsParam `json:"stream_options,omitempty"`
		Temperature         float64            `json:"temperature,omitempty" minimum:"0" maximum:"2" doc:"0 takes the most likely token; the default is 1, or the operator's"`
		TopP                float64            `json:"top_p,omitempty" minimum:"0" maximum:"1" doc:"Keep the fewest tokens that together are this likely"`
		TopK                int                `json:"top_k,omitempty" minimum:"0" maximum:"2147483647" doc:"Keep the k most likely tokens"`
		MinP                float64            `json:"min_p,omitempty" minimum:"0" maximum:"1" doc:"Keep tokens at least this likely relative to the most likely one"`
		Seed                int                `json:"seed,omitempty" doc:"Makes the answer repeatable"`
		PresencePenalty     float64            `json:"presence_penalty,omitempty" minimum:"-2" maximum:"2" doc:"Is taken from the logits of tokens that the answer has already"`
		FrequencyPenalty    float64            `json:"frequency_penalty,omitempty" minimum:"-2" maximum:"2" doc:"Is taken from them for each time that it has them"`
		LogitBias           map[string]float64 `json:"logit_bias,omitempty" doc:"Is added to the logits of tokens, by their ids in the loaded model's vocabulary: -100 to 100"`
		Stop                stopParam          `json:"stop,omitempty"`
		Tools               []chatToolParam    `json:"tools,omitempty" nullable:"false"`
		ToolChoice          chatChoiceParam    `json:"tool_choice,omitempty"`
		ParallelToolCalls   bool               `json:"parallel_tool_calls,omitempty" doc:"false: one call at most; what the model writes behind it is left out"`
		ResponseFormat      formatParam        `json:"response_format,omitempty"`
		ReasoningEffort     string             `json:"reasoning_effort,omitempty" doc:"none and minimal: the model does not think before it answers, if it is one that does"`
		User                string             `json:"user,omitempty" maxLength:"256" doc:"Names the agent if no header does"`
		N                   int                `json:"n,omitempty" minimum:"1" maximum:"16" doc:"Answers to be given"`
		Logprobs            bool               `json:"logprobs,omitempty" doc:"The answer tells how likely its tokens were"`
		TopLogprobs         int                `json:"top_logprobs,omitempty" minimum:"0" maximum:"20" doc:"And so many of the most likely ones at each place"`
	}
	textFormatParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"text"`
	}
	objectFormatParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"json_object"`
	}
	schemaFormatParam struct {
		_          struct{}         `json:"-" additionalProperties:"true"`
		Type       string           `json:"type" enum:"json_schema"`
		JSONSchema namedSchemaParam `json:"json_schema"`
	}
	namedSchemaParam struct {
		_      struct{}        `json:"-" additionalProperties:"true"`
		Name   string          `json:"name,omitempty"`
		Schema parametersParam `json:"schema"`
	}
	streamOptionsParam struct {
		_            struct{} `json:"-" additionalProperties:"true"`
		IncludeUsage bool     `json:"include_usage,omitempty" doc:"The last piece has the usage"`
	}
	systemMessageParam struct {
		_       struct{}         `json:"-" additionalProperties:"true"`
		Role    string           `json:"role" enum:"system"`
		Content chatContentParam `json:"content"`
	}
	developerMessageParam struct {
		_       struct{}         `json:"-" additionalProperties:"true"`
		Role    string           `json:"role" enum:"developer"`
		Content chatContentParam `json:"content"`
	}
	userMessageParam struct {
		_       struct{}         `json:"-" additionalProperties:"true"`
		Role    string           `json:"role" enum:"user"`
		Content chatContentParam `json:"content"`
	}
	assistantMessageParam struct {
		_                struct{}         `json:"-" additionalProperties:"true"`
		Role             string           `json:"role" enum:"assistant"`
		Content          chatContentParam `json:"content,omitempty"`
		ReasoningContent string           `json:"reasoning_content,omitempty" doc:"What was thought, for templates that know it"`
		ToolCalls        []toolCallParam  `json:"tool_calls,omitempty" nullable:"false"`
	}
	toolMessageParam struct {
		_          struct{}         `json:"-" additionalProperties:"true"`
		Role       string           `json:"role" enum:"tool"`
		ToolCallID string           `json:"tool_call_id" minLength:"1" doc:"The id of the call that it answers"`
		Content    chatContentParam `json:"content"`
	}
	toolCallParam struct {
		_        struct{}              `json:"-" additionalProperties:"true"`
		ID       string                `json:"id" minLength:"1"`
		Type     string                `json:"type" enum:"function"`
		Function toolCallFunctionParam `json:"function"`
	}
	toolCallFunctionParam struct {
		_         struct{} `json:"-" additionalProperties:"true"`
		Name      string   `json:"name" minLength:"1"`
		Arguments string   `json:"arguments" doc:"A JSON object"`
	}
	textPartParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"text"`
		Text string   `json:"text"`
	}
	chatToolParam struct {
		_        struct{}      `json:"-" additionalProperties:"true"`
		Type     string        `json:"type" enum:"function"`
		Function functionParam `json:"function"`
	}
	functionParam struct {
		_           struct{}        `json:"-" additionalProperties:"true"`
		Name        string          `json:"name" pattern:"^[a-zA-Z0-9_-]{1,128}$"`
		Description string          `json:"description,omitempty"`
		Parameters  parametersParam `json:"parameters,omitempty"`
		Strict      bool            `json:"strict,omitempty" doc:"The arguments of calls are held to the schema; keywords that this can't be done for are refused"`
	}
	chosenToolParam struct {
		_        struct{}          `json:"-" additionalProperties:"true"`
		Type     string            `json:"type" enum:"function"`
		Function functionNameParam `json:"function"`
	}
	functionNameParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Name string   `json:"name" minLength:"1"`
	}
	chosenToolsParam struct {
		_            struct{}          `json:"-" additionalProperties:"true"`
		Type         string            `json:"type" enum:"allowed_tools"`
		AllowedTools allowedToolsParam `json:"allowed_tools"`
	}
	allowedToolsParam struct {
		_     struct{}          `json:"-" additionalProperties:"true"`
		Mode  string            `json:"mode" enum:"required"`
		Tools []chosenToolParam `json:"tools" nullable:"false" minItems:"1"`
	}
)

// chatMessageParam is a message of any role.
type chatMessageParam struct{}

// Schema implements huma.SchemaProvider.
func (chatMessageParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "ChatMessageParam", "role", httpapi.Variants{
		"system": reflect.TypeFor[systemMessageParam](), "developer": reflect.TypeFor[developerMessageParam](),
		"user": reflect.TypeFor[userMessageParam](), "assistant": reflect.TypeFor[assistantMessageParam](),
		"tool": reflect.TypeFor[toolMessageParam](),
	})
}

// chatChoiceParam says whether tools may or must be called, and which.
type chatChoiceParam struct{}

// Schema implements huma.SchemaProvider.
func (chatChoiceParam) Schema(r huma.Registry) *huma.Schema {
	named := httpapi.UnionSchema(r, "NamedChoiceParam", "type", httpapi.Variants{
		"function": reflect.TypeFor[chosenToolParam](), "allowed_tools": reflect.TypeFor[chosenToolsParam](),
	})
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeString, Enum: []any{"auto", "none", "required"}}, named}}
}

// formatParam is the form of the answer.
type formatParam struct{}

// Schema implements huma.SchemaProvider.
func (formatParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "ResponseFormatParam", "type", httpapi.Variants{
		"text": reflect.TypeFor[textFormatParam](), "json_object": reflect.TypeFor[objectFormatParam](), "json_schema": reflect.TypeFor[schemaFormatParam](),
	})
}

// chatContentParam is a text or parts of text.
type chatContentParam struct{}

// Schema implements huma.SchemaProvider.
func (chatContentParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.TextOrList("", httpapi.NamedSchema[textPartParam](r))
}

// stopParam is a text that ends the answer, or some.
type stopParam struct{}

// Schema implements huma.SchemaProvider.
func (stopParam) Schema(huma.Registry) *huma.Schema {
	return httpapi.TextOrList("Texts that end the answer and are not part of it", &huma.Schema{Type: huma.TypeString})
}

// promptParam is a text, or an array of one.
type promptParam struct{}

// Schema implements huma.SchemaProvider.
func (promptParam) Schema(huma.Registry) *huma.Schema {
	one := 1
	s := httpapi.TextOrList("The text to go on with; an array has one", &huma.Schema{Type: huma.TypeString})
	for _, form := range s.OneOf {
		if form.Type == huma.TypeArray {
			form.MinItems, form.MaxItems = &one, &one
		}
	}
	return s
}

// parametersParam is a JSON schema.
type parametersParam struct{}

// Schema implements huma.SchemaProvider.
func (parametersParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "A JSON schema"}
}
