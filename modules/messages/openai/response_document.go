package openai

import (
	"net/http"
	"reflect"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// The types of requests, as the OpenAPI document names them.
type (
	responseRequest struct {
		_                 struct{}            `json:"-" additionalProperties:"true"`
		Model             string              `json:"model" minLength:"1" doc:"The loaded model, or an alias of it"`
		Input             responseInputParam  `json:"input"`
		Instructions      string              `json:"instructions,omitempty" doc:"A system prompt before the input"`
		MaxOutputTokens   int                 `json:"max_output_tokens,omitempty" minimum:"1" maximum:"2147483647"`
		Stream            bool                `json:"stream,omitempty"`
		Temperature       float64             `json:"temperature,omitempty" minimum:"0" maximum:"2"`
		TopP              float64             `json:"top_p,omitempty" minimum:"0" maximum:"1"`
		TopK              int                 `json:"top_k,omitempty" minimum:"0" maximum:"2147483647"`
		MinP              float64             `json:"min_p,omitempty" minimum:"0" maximum:"1"`
		Seed              int                 `json:"seed,omitempty"`
		Tools             []responseToolParam `json:"tools,omitempty" nullable:"false"`
		ToolChoice        responseChoiceParam `json:"tool_choice,omitempty"`
		ParallelToolCalls bool                `json:"parallel_tool_calls,omitempty" doc:"false: one call at most"`
		Text              responseTextParam   `json:"text,omitempty"`
		Reasoning         reasoningParam      `json:"reasoning,omitempty"`
		User              string              `json:"user,omitempty" maxLength:"256" doc:"Names the agent if no header does"`
		PromptCacheKey    string              `json:"prompt_cache_key,omitempty" maxLength:"256" doc:"Names the agent if neither a header nor user does"`
	}
	responseToolParam struct {
		_           struct{}        `json:"-" additionalProperties:"true"`
		Type        string          `json:"type" doc:"function, or custom for a tool that takes a text; tools of other types are left out"`
		Name        string          `json:"name,omitempty" maxLength:"128"`
		Description string          `json:"description,omitempty"`
		Parameters  parametersParam `json:"parameters,omitempty"`
		Strict      bool            `json:"strict,omitempty" doc:"The arguments of calls are held to the schema"`
	}
	reasoningParam struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Effort string   `json:"effort,omitempty" doc:"none and minimal: the model does not think before it answers, if it is one that does"`
	}
	responseTextParam struct {
		_      struct{}            `json:"-" additionalProperties:"true"`
		Format responseFormatUnion `json:"format,omitempty"`
	}
	responseSchemaFormatParam struct {
		_      struct{}        `json:"-" additionalProperties:"true"`
		Type   string          `json:"type" enum:"json_schema"`
		Name   string          `json:"name,omitempty"`
		Schema parametersParam `json:"schema"`
	}
	messageItemParam struct {
		_       struct{}             `json:"-" additionalProperties:"true"`
		Type    string               `json:"type" enum:"message"`
		Role    string               `json:"role" enum:"system,developer,user,assistant"`
		Content responseContentParam `json:"content"`
	}
	functionCallItemParam struct {
		_         struct{} `json:"-" additionalProperties:"true"`
		Type      string   `json:"type" enum:"function_call"`
		CallID    string   `json:"call_id" minLength:"1"`
		Name      string   `json:"name" minLength:"1"`
		Arguments string   `json:"arguments" doc:"A JSON object"`
	}
	functionOutputItemParam struct {
		_      struct{}             `json:"-" additionalProperties:"true"`
		Type   string               `json:"type" enum:"function_call_output"`
		CallID string               `json:"call_id" minLength:"1" doc:"Of a call before it"`
		Output responseContentParam `json:"output"`
	}
	customCallItemParam struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Type   string   `json:"type" enum:"custom_tool_call"`
		CallID string   `json:"call_id" minLength:"1"`
		Name   string   `json:"name" minLength:"1"`
		Input  string   `json:"input"`
	}
	customOutputItemParam struct {
		_      struct{}             `json:"-" additionalProperties:"true"`
		Type   string               `json:"type" enum:"custom_tool_call_output"`
		CallID string               `json:"call_id" minLength:"1" doc:"Of a call before it"`
		Output responseContentParam `json:"output"`
	}
	reasoningItemParam struct {
		_       struct{}             `json:"-" additionalProperties:"true"`
		Type    string               `json:"type" enum:"reasoning"`
		Content responseContentParam `json:"content,omitempty"`
	}
	responsePartParam struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Type string   `json:"type" enum:"input_text,output_text,text,reasoning_text,summary_text"`
		Text string   `json:"text"`
	}
)

// responseInputParam is a text of the user's, or items.
type responseInputParam struct{}

// Schema implements huma.SchemaProvider.
func (responseInputParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.TextOrList("What the user says, or all that was said", httpapi.UnionSchema(r, "ResponseInputItem", "type", httpapi.Variants{
		"message": reflect.TypeFor[messageItemParam](), "function_call": reflect.TypeFor[functionCallItemParam](),
		"function_call_output": reflect.TypeFor[functionOutputItemParam](), "custom_tool_call": reflect.TypeFor[customCallItemParam](),
		"custom_tool_call_output": reflect.TypeFor[customOutputItemParam](), "reasoning": reflect.TypeFor[reasoningItemParam](),
	}))
}

// responseContentParam is a text or parts of text.
type responseContentParam struct{}

// Schema implements huma.SchemaProvider.
func (responseContentParam) Schema(r huma.Registry) *huma.Schema {
	return httpapi.TextOrList("", httpapi.NamedSchema[responsePartParam](r))
}

// responseFormatUnion is the form of the answer.
type responseFormatUnion struct{}

// Schema implements huma.SchemaProvider.
func (responseFormatUnion) Schema(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "ResponseTextFormatParam", "type", httpapi.Variants{
		"text": reflect.TypeFor[textFormatParam](), "json_object": reflect.TypeFor[objectFormatParam](), "json_schema": reflect.TypeFor[responseSchemaFormatParam](),
	})
}

// responseChoiceParam says whether tools may or must be called, and which.
type responseChoiceParam struct{}

// Schema implements huma.SchemaProvider.
func (responseChoiceParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeString, Enum: []any{"auto", "none", "required"}},
		{Type: huma.TypeObject, AdditionalProperties: true, Required: []string{"type"}, Properties: map[string]*huma.Schema{
			"type": {Type: huma.TypeString, Enum: []any{"function", "custom", "allowed_tools"}}, "name": {Type: huma.TypeString},
		}},
	}}
}

// outputItems is the schema of an item of the output.
func outputItems(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "ResponseOutputItem", "type", httpapi.Variants{
		"message": reflect.TypeFor[messageItem](), "function_call": reflect.TypeFor[functionCallItem](), "custom_tool_call": reflect.TypeFor[customCallItem](),
		"reasoning": reflect.TypeFor[reasoningItem](),
	})
}

// responseEvents is the schema of an event of a stream.
func responseEvents(r huma.Registry) *huma.Schema {
	of := httpapi.Variants{}
	for kind, names := range map[reflect.Type][]string{
		reflect.TypeFor[stateEvent](): {"created", "in_progress", "completed", "incomplete", "failed"},
		reflect.TypeFor[itemEvent]():  {"output_item.added", "output_item.done"},
		reflect.TypeFor[partEvent]():  {"content_part.added", "content_part.done"},
		reflect.TypeFor[textEvent]():  {"output_text.delta", "output_text.done", "reasoning_text.delta", "reasoning_text.done"},
		reflect.TypeFor[callEvent](): {
			"function_call_arguments.delta", "function_call_arguments.done", "custom_tool_call_input.delta", "custom_tool_call_input.done",
		},
	} {
		for _, name := range names {
			of["response."+name] = kind
		}
	}
	return httpapi.UnionSchema(r, "ResponseStreamEvent", "type", of)
}

// responseOperation documents POST /v1/responses.
func responseOperation(r huma.Registry) huma.Operation {
	op := operation(r, "createResponse", http.MethodPost, "/v1/responses", "Answer a conversation, as OpenAI's Responses API does; nothing is stored",
		"400", "401", "403", "404", "413", "415", "429", "500", "503")
	op.Parameters = conversationHeaders()
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
		Schema: httpapi.NamedSchema[responseRequest](r), Example: map[string]any{"model": exampleModel, "max_output_tokens": 16, "input": "What is the capital of France?"},
	}}}
	data := &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"contentMediaType": "application/json", "contentSchema": responseEvents(r)}}
	op.Responses["200"] = &huma.Response{Description: "The response, or with stream its events.", Content: map[string]*huma.MediaType{
		"application/json": {Schema: httpapi.NamedSchema[response](r)},
		"text/event-stream": {Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"event", "data"},
			Properties: map[string]*huma.Schema{"event": {Type: huma.TypeString, Description: "The type of the data"}, "data": data},
		}},
	}}
	return op
}
