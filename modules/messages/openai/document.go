package openai

import (
	"net/http"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// exampleModel is an alias of whatever model is loaded, so that the examples are answered as they are.
const exampleModel = "claude-3-5-sonnet-20241022"

// chatOperation documents POST /v1/chat/completions.
func chatOperation(r huma.Registry) huma.Operation {
	op := operation(r, "createChatCompletion", http.MethodPost, "/v1/chat/completions", "Answer a conversation, as OpenAI's API does",
		"400", "401", "403", "404", "413", "415", "429", "500", "503")
	op.Parameters = conversationHeaders()
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
		Schema: httpapi.NamedSchema[chatCompletionRequest](r),
		Example: map[string]any{
			"model": exampleModel, "max_completion_tokens": 16,
			"messages": []any{map[string]any{"role": "user", "content": "What is the capital of France?"}},
		},
	}}}
	op.Responses["200"] = streamable("The completion, or with stream its pieces, and [DONE] behind the last one.",
		httpapi.NamedSchema[chatCompletion](r), httpapi.NamedSchema[chatCompletionChunk](r))
	return op
}

// conversationHeaders are those of requests that an agent may make.
func conversationHeaders() []*huma.Param {
	return []*huma.Param{
		header("X-Agent-ID", "The agent whose conversation this is"),
		header("X-Session-ID", "The same, if X-Agent-ID is absent"),
		header("X-Request-ID", "An id for this request; it is on the answer and in the log"),
	}
}

// streamable is an answer that comes whole, or as a stream of pieces with [DONE] behind the last one.
func streamable(description string, whole, piece *huma.Schema) *huma.Response {
	data := &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeString, Enum: []any{"[DONE]"}},
		{Type: huma.TypeString, Extensions: map[string]any{"contentMediaType": "application/json", "contentSchema": piece}},
	}}
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		"application/json": {Schema: whole},
		"text/event-stream": {Schema: &huma.Schema{
			Type: huma.TypeObject, Properties: map[string]*huma.Schema{"data": data}, Required: []string{"data"},
		}},
	}}
}

// completionOperation documents POST /v1/completions.
func completionOperation(r huma.Registry) huma.Operation {
	op := operation(r, "createCompletion", http.MethodPost, "/v1/completions", "Go on with a text as it is, without a chat template",
		"400", "401", "403", "404", "413", "415", "429", "500", "503")
	op.Parameters = conversationHeaders()
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
		Schema: httpapi.NamedSchema[completionRequest](r), Example: map[string]any{"model": exampleModel, "max_tokens": 16, "prompt": "The capital of France is"},
	}}}
	op.Responses["200"] = streamable("The continuation, or with stream its pieces, and [DONE] behind the last one.",
		httpapi.NamedSchema[textCompletion](r), httpapi.NamedSchema[textCompletion](r))
	return op
}

// listModelsOperation documents GET /v1/models.
func listModelsOperation(r huma.Registry) huma.Operation {
	op := operation(r, "listModels", http.MethodGet, "/v1/models", "The loaded model, by all ids that stand for it", "401", "403", "429", "503")
	op.Responses["200"] = answer("The models.", httpapi.NamedSchema[modelList](r))
	return op
}

// getModelOperation documents GET /v1/models/{id}.
func getModelOperation(r huma.Registry) huma.Operation {
	op := operation(r, "getModel", http.MethodGet, "/v1/models/{id}", "The loaded model, by one of its ids", "401", "403", "404", "429", "503")
	op.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}}
	op.Responses["200"] = answer("The model.", httpapi.NamedSchema[model](r))
	return op
}

func operation(r huma.Registry, id, method, path, summary string, failures ...string) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"openai"},
		Security:  []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
		Responses: map[string]*huma.Response{},
	}
	for _, status := range failures {
		op.Responses[status] = answer(reasonOf(status), httpapi.NamedSchema[chatError](r))
	}
	return op
}

func answer(description string, schema *huma.Schema) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

// reasonOf is why an answer has a status.
func reasonOf(status string) string {
	switch status {
	case "400":
		return "The request is not valid, or too long for the model"
	case "401":
		return "The API key is missing, unknown, revoked or expired"
	case "403":
		return "The API key lacks the scope messages; or there are no API keys, and only this machine is answered"
	case "404":
		return "The model is not loaded here"
	case "413":
		return "The body is too long"
	case "415":
		return "The body is not JSON"
	case "429":
		return "Too many requests; see retry-after"
	case "503":
		return "No room, still loading, shutting down, or the API key can't be checked while the database is away; see retry-after"
	}
	return "The model failed"
}

func header(name, description string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}
