package messages

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// invalidError is a request that can't be right, told in words for the client.
type invalidError struct {
	status  int
	message string
}

func (e *invalidError) Error() string { return e.message }

// invalid refuses a request with 400.
func invalid(format string, args ...any) error {
	return &invalidError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// retryAfter is what a client is told to wait, in seconds, when the server has no room.
const retryAfter = "2"

// statusClientGone is nginx's status for a client that left before its answer: no failure of the server.
const statusClientGone = 499

// errorBody is Anthropic's form of an error.
type errorBody struct {
	Type      string      `json:"type"`
	Error     errorDetail `json:"error"`
	RequestID string      `json:"request_id"`
}

type errorDetail struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

// Envelope is Anthropic's form of errors, for the paths of this module.
func Envelope() httpapi.Envelope {
	return httpapi.Envelope{Prefix: "/v1/messages", Body: func(f httpapi.Failure) any {
		return errorBody{Type: "error", Error: errorDetail{errorType(f.Status), f.Message}, RequestID: f.RequestID}
	}}
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

// statusOf maps an error to the status and the words that the client gets. What went wrong inside stays inside.
func statusOf(err error) (status int, message string) {
	var wrong *invalidError
	var refused *RefusedError
	var tooLong *engine.TooLongError
	var neverFits *engine.NeverFitsError
	switch {
	case errors.As(err, &wrong):
		return wrong.status, wrong.message
	case errors.As(err, &refused), errors.As(err, &tooLong), errors.As(err, &neverFits), errors.Is(err, engine.ErrInvalid):
		return http.StatusBadRequest, err.Error()
	case errors.Is(err, engine.ErrQueueFull):
		return http.StatusServiceUnavailable, "the queue is full; retry after the time in retry-after"
	case errors.Is(err, engine.ErrDraining), errors.Is(err, engine.ErrStarting):
		return http.StatusServiceUnavailable, sentence(err)
	case errors.Is(err, engine.ErrModel):
		return http.StatusInternalServerError, "the model failed on this request; the server's log tells more under this request id"
	}
	return http.StatusInternalServerError, "an internal error; the server's log tells more under this request id"
}

// sentence is the part of an error that is meant for clients.
func sentence(err error) string {
	if errors.Is(err, engine.ErrStarting) {
		return engine.ErrStarting.Error() + "; retry after the time in retry-after"
	}
	return engine.ErrDraining.Error() + "; retry at another node, or later"
}

// fail answers a request that has no answer yet with an error.
func (m *Module) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil { // nobody reads the answer; the status is for the metrics
		m.cfg.Router.Fail(w, r, statusClientGone, "the client left")
		return
	}
	status, message := statusOf(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	if status == http.StatusInternalServerError {
		m.cfg.Log.ErrorContext(r.Context(), "request_failed", "error", err)
	}
	m.cfg.Router.Fail(w, r, status, message)
}
