package messages

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/platform/auth"
)

// Kind tells what kind of failure it is. Surfaces name it in the words of their API.
type Kind int

// The kinds.
const (
	Internal      Kind = iota // nothing that the client could mend
	Invalid                   // the request can't be right
	NotJSON                   // its body is of another type
	TooLarge                  // its body is too long
	PromptTooLong             // its prompt is too long for the model
	UnknownModel              // it asks for a model that is not loaded
	KeyEnded                  // its API key was revoked or expired meanwhile
	Overloaded                // there is no room now, or no model yet, or none any more
	ClientGone                // nobody reads the answer; it is for the metrics
)

// Status is the HTTP status of a kind.
func (k Kind) Status() int {
	switch k {
	case Invalid, PromptTooLong:
		return http.StatusBadRequest
	case NotJSON:
		return http.StatusUnsupportedMediaType
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case UnknownModel:
		return http.StatusNotFound
	case KeyEnded:
		return http.StatusUnauthorized
	case Overloaded:
		return http.StatusServiceUnavailable
	case ClientGone:
		return StatusClientGone
	}
	return http.StatusInternalServerError
}

// Failure is what goes wrong with a request, in words for the client.
type Failure struct {
	Kind    Kind
	Message string
}

func (f *Failure) Error() string { return f.Message }

// Refuse returns a failure.
func Refuse(kind Kind, format string, args ...any) error {
	return &Failure{kind, fmt.Sprintf(format, args...)}
}

// StatusClientGone is nginx's status for a client that left before its answer: no failure of the server.
const StatusClientGone = 499

// RetryAfter is what a client is told to wait, in seconds, when the server has no room.
const RetryAfter = "2"

// FailureOf tells what a client is told of an error. What went wrong inside stays inside.
func FailureOf(err error) Failure {
	var failure *Failure
	var refused *prompt.RefusedError
	var tooLong *engine.TooLongError
	var neverFits *engine.NeverFitsError
	switch {
	case errors.As(err, &failure):
		return *failure
	case errors.As(err, &tooLong):
		return Failure{PromptTooLong, err.Error()}
	case errors.As(err, &refused), errors.As(err, &neverFits), errors.Is(err, engine.ErrInvalid):
		return Failure{Invalid, err.Error()}
	case errors.Is(err, auth.ErrExpired):
		return Failure{KeyEnded, auth.ErrExpired.Error() + "; the request was cut"}
	case errors.Is(err, auth.ErrRevoked):
		return Failure{KeyEnded, auth.ErrRevoked.Error() + "; the request was cut"}
	case errors.Is(err, engine.ErrModel):
		return Failure{Internal, "the model failed on this request; the server's log tells more under this request id"}
	}
	if why := crowded(err); why != "" {
		return Failure{Overloaded, why}
	}
	return Failure{Internal, "an internal error; the server's log tells more under this request id"}
}

// CutBy returns what a request is told that ended with an error: that its key ended meanwhile, if so, however that showed.
func CutBy(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); auth.IsEnded(cause) {
		return cause
	}
	return err
}

// crowded tells why there is no room, or "" if it is for something else.
func crowded(err error) string {
	const again = "; retry after the time in retry-after"
	switch {
	case errors.Is(err, engine.ErrQueueFull):
		return "the queue is full" + again
	case errors.Is(err, errCrowded):
		return errCrowded.Error() + again
	case errors.Is(err, engine.ErrDraining):
		return engine.ErrDraining.Error() + "; retry at another node, or later"
	}
	for _, reason := range []error{engine.ErrStarting, engine.ErrUnloaded, engine.ErrSwapping, engine.ErrOccupied, engine.ErrUnloadable} {
		if errors.Is(err, reason) {
			return reason.Error() + again
		}
	}
	return ""
}

// Fail has a request that has no answer yet answered with an error, in the form of its surface.
func (s *Service) Fail(w http.ResponseWriter, r *http.Request, err error, answer func(Failure)) {
	err = CutBy(r.Context(), err)
	if r.Context().Err() != nil && !auth.IsEnded(err) {
		answer(Failure{ClientGone, "the client left"})
		return
	}
	failure := FailureOf(err)
	switch failure.Kind {
	case Overloaded:
		w.Header().Set("Retry-After", RetryAfter)
	case Internal:
		s.cfg.Log.ErrorContext(r.Context(), "request_failed", "error", err)
	}
	answer(failure)
}
