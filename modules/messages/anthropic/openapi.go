package anthropic

import (
	"net/http"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// createOperation documents POST /v1/messages.
func createOperation(r huma.Registry) huma.Operation {
	op := operation(r, "createMessage", "/v1/messages", "Answer a conversation",
		"Answers the conversation with the loaded model, as one JSON object or, with stream, as server-sent events.")
	op.RequestBody = jsonBody(httpapi.NamedSchema[messageRequest](r), map[string]any{"max_tokens": 16})
	op.Responses["200"] = &huma.Response{
		Description: "The message, or the events message_start, ping, content_block_start, content_block_delta, content_block_stop, message_delta, message_stop and error.",
		Content: map[string]*huma.MediaType{
			"application/json":  {Schema: httpapi.NamedSchema[message](r)},
			"text/event-stream": {Schema: eventSchema(r)},
		},
	}
	return op
}

// eventSchema describes one server-sent event: its data is JSON in a string.
func eventSchema(r huma.Registry) *huma.Schema {
	data := &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{
		"contentMediaType": "application/json", "contentSchema": httpapi.NamedSchema[streamEvent](r),
	}}
	return &huma.Schema{
		Type:       huma.TypeObject,
		Properties: map[string]*huma.Schema{"event": {Type: huma.TypeString, Description: "The type of the data"}, "data": data},
		Required:   []string{"event", "data"},
	}
}

// countOperation documents POST /v1/messages/count_tokens.
func countOperation(r huma.Registry) huma.Operation {
	op := operation(r, "countTokens", "/v1/messages/count_tokens", "Count the tokens of a conversation",
		"Renders the conversation as create-message would, and answers with the number of its tokens.")
	op.RequestBody = jsonBody(httpapi.NamedSchema[CountRequest](r), map[string]any{})
	op.Responses["200"] = &huma.Response{
		Description: "The number of tokens.",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: httpapi.NamedSchema[counted](r)},
		},
	}
	return op
}

func operation(r huma.Registry, id, path, summary, description string) huma.Operation {
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
		"401": "The API key is missing, unknown, revoked or expired",
		"403": "The API key lacks the scope messages; or there are no API keys, and only this machine is answered",
		"404": "The model is not loaded here",
		"413": "The body is too long",
		"415": "The body is not JSON",
		"429": "Too many requests; see retry-after",
		"500": "The model failed",
		"503": "No room, still loading, shutting down, or the API key can't be checked while the database is away; see retry-after",
	} {
		op.Responses[status] = &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{"application/json": {Schema: httpapi.NamedSchema[messagesError](r)}},
		}
	}
	return op
}

// jsonBody describes a body with an example, which is the given fields and a conversation.
func jsonBody(schema *huma.Schema, example map[string]any) *huma.RequestBody {
	example["model"] = "claude-3-5-sonnet-20241022"
	example["messages"] = []any{map[string]any{"role": "user", "content": "What is the capital of France?"}}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema, Example: example}}}
}

func header(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: description, Schema: text("")}
}

func text(description string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: description}
}
