package anthropic_test

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/explain"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/modules/messages/anthropic"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"github.com/danielgtaylor/huma/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key, adminKey = "secret-key", "admin-key"

// byteText renders conversations as bytes.
type byteText struct{ prompting func(ctx context.Context) }

func (b byteText) Render(ctx context.Context, c prompt.Conversation) (prompt.Rendered, error) {
	var p prompt.Rendered
	if b.prompting != nil {
		b.prompting(ctx)
		if err := ctx.Err(); err != nil {
			return p, err
		}
	}
	for _, tool := range c.Tools {
		p.Tokens = append(p.Tokens, enginetest.Encode("tool "+tool.Name+"\n")...)
	}
	for _, turn := range c.Turns {
		p.Tokens = append(p.Tokens, enginetest.Encode(string(turn.Role)+":")...)
		for _, part := range turn.Parts {
			if part.Text == "unspeakable" {
				return p, &prompt.RefusedError{Reason: "the template refuses it"}
			}
			p.Tokens = append(p.Tokens, enginetest.Encode(part.Text)...)
			if part.Breakpoint {
				p.Marked = len(p.Tokens)
			}
		}
	}
	p.Tokens = append(p.Tokens, enginetest.AnswerToken)
	return p, nil
}

func (byteText) NewDecoder() engine.TextDecoder { return enginetest.NewDecoder() }
func (byteText) Spelling() prefix.Spelling      { return nil }

// setup changes what a test server is made of.
type setup struct {
	model  enginetest.Config
	engine func(*engine.Config)
	limits ratelimit.Config
	// maxBody is 20,000 bytes where nothing else is set.
	maxBody int64
	// renderer is byteText where nothing else is set.
	renderer messages.Renderer
	// prompting, if set, runs before a conversation is rendered.
	prompting func(ctx context.Context)
}

// server is a test server and the statuses that it observed.
type server struct {
	*httptest.Server
	statuses chan int
	schemas  huma.Registry // of the document
}

// serve runs the module on the real HTTP stack. It says "Hello, world!" unless told otherwise.
func serve(t *testing.T, s setup) *server {
	t.Helper()
	if s.model.Answer == nil {
		s.model.Answer = enginetest.Say("Hello, world!")
	}
	ready := make(chan struct{})
	cfg := engine.Config{
		Open: func(progress func(string, float64)) (engine.Model, error) {
			defer close(ready)
			return enginetest.New(s.model).Open(progress)
		},
		Budget: 100 * enginetest.BlockBytes, MaxBatch: 4, MaxQueue: 100, ChunkTokens: 64,
	}
	if s.engine != nil {
		s.engine(&cfg)
	}
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	statuses := make(chan int, 1000)
	router := httpapi.New(httpapi.Config{
		Title: "test", Version: "1", CORSOrigins: []string{"*"}, MaxBody: cmp.Or(s.maxBody, 20_000),
		Keys: auth.New(auth.Config{Fixed: []auth.Fixed{
			{Secret: key, Key: auth.Key{ID: "user", Tenant: auth.DefaultTenant, Scopes: []auth.Scope{"messages"}}},
			{Secret: adminKey, Key: auth.Key{ID: "operator", Tenant: auth.DefaultTenant, Scopes: []auth.Scope{"admin"}}},
		}}),
		Guards: []httpapi.Guard{{Prefix: "/v1", Scope: "messages"}, {Prefix: "/admin", Scope: "admin"}},
		Limits: ratelimit.New(s.limits),
		Caller: messages.CallerOf, IDHeaders: []string{anthropic.RequestIDHeader}, Surfaces: []httpapi.Surface{anthropic.Surface()},
		Observe: func(_, _ string, status int, _ time.Duration) { statuses <- status },
	})
	log := slog.New(slog.DiscardHandler)
	if s.renderer == nil {
		s.renderer = byteText{s.prompting}
	}
	service := messages.New(messages.Config{
		Engine: e, Renderer: s.renderer, Limiter: router, Aliases: []string{anthropic.ModelAlias, "house-model"}, Log: log,
	})
	surface := anthropic.Register(anthropic.Config{Router: router, Service: service, Log: log})
	explain.Register(explain.Config{Router: router, Engine: e, Text: byteText{}, Prompts: surface})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Errorf("engine: %v", err)
		}
	})
	<-ready
	for e.Spec().Name == "" {
	}
	web := httptest.NewServer(router.Handler())
	t.Cleanup(func() { cancel(); running.Wait(); web.Close() })
	return &server{web, statuses, router.API().OpenAPI().Components.Schemas}
}

// post sends a body with a key.
func post(t *testing.T, server *server, path, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", key)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return do(t, server, req)
}

func do(t *testing.T, server *server, req *http.Request) *http.Response {
	t.Helper()
	answer, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
