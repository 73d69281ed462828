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
	if r.Context().Err() != nil { // nobody reads the answer; the status is for the metrics
		a.cfg.Router.Fail(w, r, messages.StatusClientGone, "the client left")
		return
	}
	failure := messages.FailureOf(err)
	switch failure.Kind {
	case messages.Overloaded:
		w.Header().Set("Retry-After", messages.RetryAfter)
	case messages.Internal:
		a.cfg.Log.ErrorContext(r.Context(), "request_failed", "error", err)
	}
	a.cfg.Router.Fail(w, r, failure.Kind.Status(), failure.Message)
}
