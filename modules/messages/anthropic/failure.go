package anthropic

import (
	"net/http"

	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// invalid refuses a request with 400.
func invalid(format string, args ...any) error {
	return messages.Refuse(messages.Invalid, format, args...)
}

func errorOf(f httpapi.Failure) any {
	return messagesError{Type: "error", Error: messagesErrorDetail{errorType(f.Status), f.Message}, RequestID: f.RequestID}
}

// errorType is Anthropic's name for a status.
func errorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusServiceUnavailable:
		return "overloaded_error"
	}
	if status >= http.StatusInternalServerError {
		return "api_error"
	}
	return "invalid_request_error"
}

// Fail answers a request that has no answer yet with an error.
func (a *API) Fail(w http.ResponseWriter, r *http.Request, err error) {
	a.cfg.Service.Fail(w, r, err, func(f messages.Failure) { a.cfg.Router.Fail(w, r, f.Kind.Status(), f.Message) })
}
