package messages_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/auth"
)

// A request whose key ended is told so, whatever that made fail; one whose client left is not.
func TestTheEndOfAKeyIsToldHoweverItShows(t *testing.T) {
	for cause, want := range map[error]int{auth.ErrRevoked: http.StatusUnauthorized, auth.ErrExpired: http.StatusUnauthorized, context.Canceled: messages.StatusClientGone} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		var got messages.Failure
		messages.New(messages.Config{}).Fail(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "/", nil), context.Canceled,
			func(f messages.Failure) { got = f })
		if got.Kind.Status() != want {
			t.Errorf("%v: %+v", cause, got)
		}
	}
}

// Each error has one kind, and what went wrong inside stays inside.
func TestFailuresHaveKinds(t *testing.T) {
	for err, want := range map[error]messages.Kind{
		messages.Refuse(messages.NotJSON, "x"):      messages.NotJSON,
		&prompt.RefusedError{Reason: "no"}:          messages.Invalid,
		&engine.TooLongError{Prompt: 9}:             messages.PromptTooLong,
		&engine.NeverFitsError{Prompt: 9}:           messages.Invalid,
		engine.ErrInvalid:                           messages.Invalid,
		engine.ErrQueueFull:                         messages.Overloaded,
		engine.ErrStarting:                          messages.Overloaded,
		engine.ErrDraining:                          messages.Overloaded,
		engine.ErrModel:                             messages.Internal,
		auth.ErrRevoked:                             messages.KeyEnded,
		auth.ErrExpired:                             messages.KeyEnded,
		errors.New("secret"):                        messages.Internal,
		context.DeadlineExceeded:                    messages.Internal,
		fmt.Errorf("deep: %w", engine.ErrQueueFull): messages.Overloaded,
	} {
		got := messages.FailureOf(fmt.Errorf("secret: %w", err))
		if got.Kind != want || got.Message == "" {
			t.Errorf("%v: %+v, want kind %d", err, got, want)
		}
		if want == messages.Internal && got.Message != messages.FailureOf(err).Message {
			t.Errorf("%v tells %q", err, got.Message)
		}
	}
}

func TestKindsHaveStatuses(t *testing.T) {
	for kind, want := range map[messages.Kind]int{
		messages.Internal: 500, messages.Invalid: 400, messages.NotJSON: 415, messages.TooLarge: 413,
		messages.PromptTooLong: 400, messages.UnknownModel: 404, messages.Overloaded: 503,
	} {
		if got := kind.Status(); got != want {
			t.Errorf("kind %d: %d, want %d", kind, got, want)
		}
	}
}

func TestAgentsAreNamedByTheFirstHeader(t *testing.T) {
	for _, c := range []struct{ agent, session, want string }{
		{"a", "s", "a"}, {"", "s", "s"}, {"a", "", "a"}, {"", "", ""},
	} {
		r := &http.Request{Header: http.Header{"X-Agent-Id": {c.agent}, "X-Session-Id": {c.session}}}
		if got, err := messages.CallerOf(r); got != c.want || err != nil {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	for _, c := range []struct{ own, session, agent, want string }{
		{"", "s", "", "s"}, {"", "s", "a", "s/a"}, {"", "", "a", "a"}, {"mine", "s", "a", "mine"},
	} {
		r := &http.Request{Header: http.Header{
			"X-Agent-Id": {c.own}, "X-Claude-Code-Session-Id": {c.session}, "X-Claude-Code-Agent-Id": {c.agent}, "X-Claude-Code-Parent-Agent-Id": {"p"},
		}}
		if got, err := messages.CallerOf(r); got != c.want || err != nil {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	for _, bad := range []string{".", "a\nb", "a\xff"} {
		if _, err := messages.CallerOf(&http.Request{Header: http.Header{"X-Agent-Id": {bad}}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
