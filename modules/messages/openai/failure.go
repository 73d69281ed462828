package openai

import (
	"net/http"
	"strings"

	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// chatError is OpenAI's form of an error, as an answer and in a stream.
type chatError struct {
	Error chatErrorDetail `json:"error"`
}

type chatErrorDetail struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param" nullable:"true" doc:"The place in the request that is wrong"`
	Code    *string `json:"code" nullable:"true"`
}

// invalid refuses a request with 400.
func invalid(format string, args ...any) error {
	return messages.Refuse(messages.Invalid, format, args...)
}

// bodyOf is the form of what goes wrong before a request is understood.
func bodyOf(f httpapi.Failure) any {
	kind, code := kindOf(f.Status)
	detail := chatErrorDetail{Message: f.Message, Type: kind}
	if code != "" {
		detail.Code = &code
	}
	return chatError{detail}
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

// fail answers a request that has no answer yet with an error.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	a.cfg.Service.Fail(w, r, err, func(f messages.Failure) {
		httpapi.WriteJSON(w, f.Kind.Status(), "application/json", errorOf(f))
	})
}

// errorOf names a failure in the codes that clients act on.
func errorOf(f messages.Failure) chatError {
	kind, _ := kindOf(f.Kind.Status())
	detail := chatErrorDetail{Message: f.Message, Type: kind}
	code := ""
	switch f.Kind {
	case messages.PromptTooLong:
		code, detail.Message = "context_length_exceeded", "this model's maximum context length was exceeded: "+f.Message
	case messages.UnknownModel:
		code = "model_not_found"
	case messages.KeyEnded:
		code = "invalid_api_key"
	case messages.Invalid:
		if place, _, found := strings.Cut(f.Message, ": "); found && !strings.Contains(place, " ") {
			detail.Param = &place
		}
	}
	if code != "" {
		detail.Code = &code
	}
	return chatError{detail}
}
