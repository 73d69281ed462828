package openai

import (
	"net/http"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// chatOperation documents POST /v1/chat/completions.
func chatOperation(r huma.Registry) huma.Operation {
	op := operation(r, "createChatCompletion", http.MethodPost, "/v1/chat/completions", "Answer a conversation, as OpenAI's API does",
		"400", "401", "403", "404", "413", "415", "429", "500", "503")
	op.Parameters = []*huma.Param{
		header("X-Agent-ID", "The agent whose conversation this is"),
		header("X-Session-ID", "The same, if X-Agent-ID is absent"),
		header("X-Request-ID", "An id for this request; it is on the answer and in the log"),
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {
		Schema: httpapi.NamedSchema[chatCompletionRequest](r),
		Example: map[string]any{
			"model": "memory", "max_completion_tokens": 16,
			"messages": []any{map[string]any{"role": "user", "content": "What is the capital of France?"}},
		},
	}}}
	chunk := &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{
		"contentMediaType": "application/json", "contentSchema": httpapi.NamedSchema[chatCompletionChunk](r),
	}}
	op.Responses["200"] = &huma.Response{
		Description: "The completion, or with stream its pieces, and [DONE] behind the last one.",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: httpapi.NamedSchema[chatCompletion](r)},
			"text/event-stream": {Schema: &huma.Schema{
				Type: huma.TypeObject, Properties: map[string]*huma.Schema{"data": chunk}, Required: []string{"data"},
			}},
		},
	}
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
