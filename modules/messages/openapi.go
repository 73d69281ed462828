package messages

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// createOperation documents POST /v1/messages.
func createOperation() huma.Operation {
	op := operation("create-message", "/v1/messages", "Answer a conversation",
		"Answers the conversation with the loaded model, as one JSON object or, with stream, as server-sent events.")
	fields := promptFields()
	for name, schema := range answerFields() {
		fields[name] = schema
	}
	op.RequestBody = jsonBody(object(fields, "model", "messages", "max_tokens"))
	op.Responses["200"] = &huma.Response{
		Description: "The message, or the events message_start, ping, content_block_start, content_block_delta, content_block_stop, message_delta, message_stop and error.",
		Content: map[string]*huma.MediaType{
			"application/json":  {Schema: messageSchema()},
			"text/event-stream": {Schema: text("Events with a name and JSON data")},
		},
	}
	return op
}

// countOperation documents POST /v1/messages/count_tokens.
func countOperation() huma.Operation {
	op := operation("count-tokens", "/v1/messages/count_tokens", "Count the tokens of a conversation",
		"Renders the conversation as create-message would, and answers with the number of its tokens.")
	op.RequestBody = jsonBody(object(promptFields(), "model", "messages"))
	op.Responses["200"] = &huma.Response{
		Description: "The number of tokens.",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: object(map[string]*huma.Schema{"input_tokens": whole("Tokens of the prompt")}, "input_tokens")},
		},
	}
	return op
}

func operation(id, path, summary, description string) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Description: description,
		Tags:      []string{"messages"},
		Security:  []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
		Responses: map[string]*huma.Response{},
		Parameters: []*huma.Param{
			header("anthropic-version", "2023-06-01 or 2026-10-21"),
			header("X-Agent-ID", "The agent whose conversation this is"),
			header("X-Session-ID", "The same, if X-Agent-ID is absent"),
			header("X-Request-ID", "An id for this request; it is on the answer and in the log"),
		},
	}
	for status, description := range map[string]string{
		"400": "The request is not valid, or too long for the model",
		"401": "The API key is missing or unknown",
		"403": "Without API keys only this machine is answered",
		"404": "The model is not loaded here",
		"413": "The body is too long",
		"415": "The body is not JSON",
		"429": "Too many requests; see retry-after",
		"500": "The model failed",
		"503": "No room, still loading, or shutting down; see retry-after",
	} {
		op.Responses[status] = &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{"application/json": {Schema: errorSchema()}},
		}
	}
	return op
}

// promptFields are the fields that make the prompt.
func promptFields() map[string]*huma.Schema {
	content := &huma.Schema{
		Description: "A string, or blocks of type text, thinking, redacted_thinking, tool_use or tool_result",
		OneOf:       []*huma.Schema{text(""), list(anyObject("A content block"))},
	}
	return map[string]*huma.Schema{
		"model": text("The loaded model, an alias of it, or any claude-* id"),
		"messages": list(object(map[string]*huma.Schema{
			"role":    {Type: huma.TypeString, Enum: []any{"user", "assistant", "system"}},
			"content": content,
		}, "role", "content")),
		"system": {Description: "The system prompt", OneOf: []*huma.Schema{text(""), list(anyObject("A text block"))}},
		"tools": list(object(map[string]*huma.Schema{
			"name": text(""), "description": text(""), "input_schema": anyObject("A JSON schema of type object"),
		}, "name", "input_schema")),
		"tool_choice": anyObject("type auto or none; any and tool are refused for now"),
		"metadata":    object(map[string]*huma.Schema{"user_id": text("Names the agent if no header does")}),
	}
}

// answerFields are the fields that say how to answer.
func answerFields() map[string]*huma.Schema {
	return map[string]*huma.Schema{
		"max_tokens":     whole("Most tokens to generate; 0 only prepares the cache"),
		"stream":         {Type: huma.TypeBoolean},
		"temperature":    share("0 takes the most likely token; default 1"),
		"top_p":          share("Keep the fewest tokens that together are this likely"),
		"top_k":          whole("Keep the k most likely tokens"),
		"min_p":          share("Keep tokens at least this likely relative to the most likely one"),
		"seed":           {Type: huma.TypeInteger, Description: "Makes the answer repeatable"},
		"stop_sequences": list(text("")),
	}
}

func messageSchema() *huma.Schema {
	return object(map[string]*huma.Schema{
		"id": text(""), "type": text("message"), "role": text("assistant"), "model": text(""),
		"content":       list(object(map[string]*huma.Schema{"type": text("text"), "text": text("")}, "type", "text")),
		"stop_reason":   text("end_turn, max_tokens or stop_sequence"),
		"stop_sequence": {Description: "The stop sequence that was found", OneOf: []*huma.Schema{text(""), {Type: "null"}}},
		"usage": object(map[string]*huma.Schema{
			"input_tokens":                whole("Computed, after the last cache_control breakpoint"),
			"cache_creation_input_tokens": whole("Computed, up to the last cache_control breakpoint"),
			"cache_read_input_tokens":     whole("Read from a tier of the cache"),
			"output_tokens":               whole("Generated"),
		}, "input_tokens", "output_tokens"),
	}, "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")
}

func errorSchema() *huma.Schema {
	return object(map[string]*huma.Schema{
		"type":       text("error"),
		"error":      object(map[string]*huma.Schema{"type": text(""), "message": text("")}, "type", "message"),
		"request_id": text(""),
	}, "type", "error", "request_id")
}

func jsonBody(schema *huma.Schema) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

func header(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: description, Schema: text("")}
}

func object(fields map[string]*huma.Schema, required ...string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Properties: fields, Required: required}
}

func anyObject(description string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Description: description, AdditionalProperties: true}
}

func list(items *huma.Schema) *huma.Schema { return &huma.Schema{Type: huma.TypeArray, Items: items} }

func text(description string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: description}
}

func whole(description string) *huma.Schema {
	zero := 0.0
	return &huma.Schema{Type: huma.TypeInteger, Minimum: &zero, Description: description}
}

func share(description string) *huma.Schema {
	zero, one := 0.0, 1.0
	return &huma.Schema{Type: huma.TypeNumber, Minimum: &zero, Maximum: &one, Description: description}
}
