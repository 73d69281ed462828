package anthropic_test

import (
	"net/http"
	"testing"

	"github.com/agent-memory/agent-memory/modules/explain"
	"github.com/agent-memory/agent-memory/modules/messages/anthropic"
	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key, adminKey = messagestest.Key, messagestest.AdminKey

type (
	setup  = messagestest.Setup
	server = messagestest.Server
)

// serve runs the surface on the real HTTP stack.
func serve(t *testing.T, s setup) *server {
	t.Helper()
	s.Surfaces, s.IDHeaders = []httpapi.Surface{anthropic.Surface()}, []string{anthropic.RequestIDHeader}
	s.Aliases = []string{anthropic.ModelAlias, "house-model"}
	s.Register = func(p messagestest.Parts) {
		surface := anthropic.Register(anthropic.Config{Router: p.Router, Service: p.Service, Log: p.Log})
		explain.Register(explain.Config{Router: p.Router, Engine: p.Engine, Text: messagestest.ByteText{}, Prompts: surface})
	}
	return messagestest.Serve(t, s)
}

// saying is a server whose model writes the given answers, one after the other.
func saying(t *testing.T, source string, answers ...string) *server {
	t.Helper()
	return serve(t, setup{}.Saying(t, source, answers...))
}

// post sends a body with a key.
func post(t *testing.T, server *server, path, body string, headers ...string) *http.Response {
	t.Helper()
	return server.Post(t, path, body, headers...)
}

func do(t *testing.T, server *server, req *http.Request) *http.Response {
	t.Helper()
	return server.Do(t, req)
}

func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	return messagestest.Text(t, answer)
}
