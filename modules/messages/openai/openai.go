// Package openai is OpenAI's API as far as there is one yet: the form of errors on its paths, so that its clients
// understand already now that nothing answers there.
package openai

import (
	"net/http"

	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// errorBody is OpenAI's form of an error.
type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// Surfaces are the paths of OpenAI's API.
func Surfaces() (all []httpapi.Surface) {
	for _, path := range []string{"/v1/chat", "/v1/completions", "/v1/responses", "/v1/models", "/v1/embeddings"} {
		all = append(all, httpapi.Surface{Prefix: path, Error: bodyOf})
	}
	return all
}

func bodyOf(f httpapi.Failure) any {
	kind, code := kindOf(f.Status)
	detail := errorDetail{Message: f.Message, Type: kind}
	if code != "" {
		detail.Code = &code
	}
	return errorBody{detail}
}

// kindOf is OpenAI's type, and code if there is one, for a status.
func kindOf(status int) (kind, code string) {
	switch status {
	case http.StatusUnauthorized:
		return "invalid_request_error", "invalid_api_key"
	case http.StatusNotFound:
		return "invalid_request_error", "unknown_url"
	case http.StatusTooManyRequests:
		return "requests", "rate_limit_exceeded"
	}
	if status >= http.StatusInternalServerError {
		return "server_error", ""
	}
	return "invalid_request_error", ""
}
