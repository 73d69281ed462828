package anthropic

import (
	"reflect"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// The types of requests, as the OpenAPI document names them. Bodies are read into body and block, which tell a client
// more exactly what is wrong; a test holds that these know every field that is named here. Fields that are not named are
// accepted.
type (
	messageRequest struct {
		_ struct{} `json:"-" additionalProperties:"true"`
		CountRequest
		MaxTokens     int      `json:"max_tokens" minimum:"0" maximum:"2147483647" doc:"Most tokens to generate; 0 only prepares the cache"`
		Stream        bool     `json:"stream,omitempty"`
		Temperature   float64  `json:"temperature,omitempty" minimum:"0" maximum:"1" doc:"0 takes the most likely token; the default is 1, or the operator's"`
		TopP          float64  `json:"top_p,omitempty" minimum:"0" maximum:"1" doc:"Keep the fewest tokens that together are this likely"`
		TopK          int      `json:"top_k,omitempty" minimum:"0" maximum:"2147483647" doc:"Keep the k most likely tokens"`
		MinP          float64  `json:"min_p,omitempty" minimum:"0" maximum:"1" doc:"Keep tokens at least this likely relative to the most likely one"`
		Seed          int      `json:"seed,omitempty" doc:"Makes the answer repeatable"`
		StopSequences []string `json:"stop_sequences,omitempty" nullable:"false" maxItems:"64"`
	}
	// CountRequest is all of a request that makes the prompt. It is exported since embedded fields are described only then.
	CountRequest struct {
		_            struct{}          `json:"-" additionalProperties:"true"`
		Model        string            `json:"model" minLength:"1" doc:"The loaded model, an alias of it, or any claude-* id"`
		Messages     []messageParam    `json:"messages" nullable:"false" minItems:"1"`
		System       systemParam       `json:"system,omitempty"`
		Tools        []toolParam       `json:"tools,omitempty" nullable:"false"`
		ToolChoice   toolChoiceParam   `json:"tool_choice,omitempty"`
		Metadata     metadataParam     `json:"metadata,omitempty"`
		OutputConfig outputConfigParam `json:"output_config,omitempty"`
		Thinking     thinkingParam     `json:"thinking,omitempty"`
		CacheControl cacheControlParam `json:"cache_control,omitempty" doc:"A breakpoint behind the last block"`
	}
	thinkingParam struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Type   string   `json:"type" enum:"enabled,adaptive,disabled" doc:"Whether the model thinks before it answers, if it is one that does"`
		Budget int      `json:"budget_tokens,omitempty" minimum:"0" maximum:"2147483647" doc:"Most tokens of thoughts"`
	}
	outputConfigParam struct {
		_      struct{}          `json:"-" additionalProperties:"true"`
		Format outputFormatParam `json:"format,omitempty"`
	}
	outputFormatParam struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Type   string   `json:"type" enum:"json_schema"`
		Schema object   `json:"schema" doc:"A JSON schema that the answer is held to; keywords that this can't be done for are refused"`
	}
	messageParam struct {
		_       struct{}     `json:"-" additionalProperties:"true"`
		Role    string       `json:"role" enum:"user,assistant,system"`
		Content contentParam `json:"content"`
	}
	textBlockParam struct {
		_            struct{}          `json:"-" additionalProperties:"true"`
		Type         string            `json:"type" enum:"text"`
		Text         string            `json:"text" minLength:"1"`
		CacheControl cacheControlParam `json:"cache_control,omitempty"`
	}
	thinkingBlockParam struct {
		_        struct{} `json:"-" additionalProperties:"true"`
		Type     string   `json:"type" enum:"thinking"`
		Thinking string   `json:"thinking"`
		// A thought whose signature is another's is left out of the prompt.
		Signature string `json:"signature,omitempty" doc:"As it came; a thought with another's is not shown to the model"`
	}
	redactedThinkingBlockParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"redacted_thinking"`
		Data string   `json:"data"`
	}
	toolUseBlockParam struct {
		_            struct{}          `json:"-" additionalProperties:"true"`
		Type         string            `json:"type" enum:"tool_use"`
		ID           string            `json:"id" minLength:"1"`
		Name         string            `json:"name" minLength:"1"`
		Input        object            `json:"input"`
		CacheControl cacheControlParam `json:"cache_control,omitempty"`
	}
	toolResultBlockParam struct {
		_            struct{}          `json:"-" additionalProperties:"true"`
		Type         string            `json:"type" enum:"tool_result"`
		ToolUseID    string            `json:"tool_use_id" minLength:"1" doc:"The id of the tool_use that it answers"`
		Content      resultParam       `json:"content,omitempty"`
		IsError      bool              `json:"is_error,omitempty" doc:"The tool failed, which the model is told"`
		CacheControl cacheControlParam `json:"cache_control,omitempty"`
	}
	toolParam struct {
		_            struct{}          `json:"-" additionalProperties:"true"`
		Type         string            `json:"type,omitempty" enum:"custom"`
		Name         string            `json:"name" pattern:"^[a-zA-Z0-9_-]{1,128}$"`
		Description  string            `json:"description,omitempty"`
		InputSchema  inputSchemaParam  `json:"input_schema"`
		Strict       bool              `json:"strict,omitempty" doc:"The input of calls is held to the schema; keywords that this can't be done for are refused"`
		CacheControl cacheControlParam `json:"cache_control,omitempty"`
	}
	inputSchemaParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"object"`
	}
	toolChoiceAuto struct {
		_               struct{} `json:"-" additionalProperties:"true"`
		Type            string   `json:"type" enum:"auto"`
		DisableParallel bool     `json:"disable_parallel_tool_use,omitempty" doc:"One call at most; what the model writes behind it is left out"`
	}
	toolChoiceNone struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"none"`
	}
	toolChoiceAny struct {
		_               struct{} `json:"-" additionalProperties:"true"`
		Type            string   `json:"type" enum:"any"`
		DisableParallel bool     `json:"disable_parallel_tool_use,omitempty" doc:"The answer has one call at most"`
	}
	toolChoiceTool struct {
		_               struct{} `json:"-" additionalProperties:"true"`
		Type            string   `json:"type" enum:"tool"`
		Name            string   `json:"name" minLength:"1" doc:"Of the tool that is called"`
		DisableParallel bool     `json:"disable_parallel_tool_use,omitempty" doc:"The answer has one call at most"`
	}
	metadataParam struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		UserID string   `json:"user_id,omitempty" doc:"Names the agent if no header does"`
	}
	cacheControlParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"ephemeral"`
		TTL  string   `json:"ttl,omitempty" enum:"5m,1h" doc:"How long the memory is kept rather than that of others; the default is 5m"`
	}
)

// contentParam is a text or blocks.
type contentParam struct{}

// Schema implements huma.SchemaProvider.
func (contentParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.TextOrList("", httpapi.UnionSchema(r, "ContentBlockParam", "type", httpapi.Variants{
		"text": reflect.TypeFor[textBlockParam](), "thinking": reflect.TypeFor[thinkingBlockParam](),
		"redacted_thinking": reflect.TypeFor[redactedThinkingBlockParam](), "tool_use": reflect.TypeFor[toolUseBlockParam](),
		"tool_result": reflect.TypeFor[toolResultBlockParam](),
	}))
}

// systemParam is a text or blocks of text.
type systemParam struct{}

// Schema implements huma.SchemaProvider.
func (systemParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.TextOrList("The system prompt", r.Schema(reflect.TypeFor[textBlockParam](), true, ""))
}

// resultParam is what a tool answered: a text or blocks of text.
type resultParam struct{}

// Schema implements huma.SchemaProvider.
func (resultParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.TextOrList("What the tool answered", r.Schema(reflect.TypeFor[textBlockParam](), true, ""))
}

// toolChoiceParam says whether tools may or must be called, and which.
type toolChoiceParam struct{}

// Schema implements huma.SchemaProvider.
func (toolChoiceParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "ToolChoiceParam", "type", httpapi.Variants{
		"auto": reflect.TypeFor[toolChoiceAuto](), "none": reflect.TypeFor[toolChoiceNone](),
		"any": reflect.TypeFor[toolChoiceAny](), "tool": reflect.TypeFor[toolChoiceTool](),
	})
}
