// Package messagestest runs surfaces on the real HTTP stack, over a real engine with a model in memory.
package messagestest

import (
	"cmp"
	"context"
	"crypto/sha256"
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
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"github.com/danielgtaylor/huma/v2"
)

// The keys that a server knows.
const (
	Key      = "secret-key"
	AdminKey = "admin-key"
)

// Setup changes what a test server is made of.
type Setup struct {
	Model  enginetest.Config
	Engine func(*engine.Config)
	Limits ratelimit.Config
	// MaxBody is 20,000 bytes where nothing else is set.
	MaxBody int64
	// Renderer is ByteText where nothing else is set.
	Renderer messages.Renderer
	// Prompting, if set, runs before a conversation is rendered.
	Prompting func(ctx context.Context)
	Aliases   []string

	Surfaces  []httpapi.Surface
	IDHeaders []string
	Register  func(Parts) // adds the surface that is tested
}

// Parts are what a surface is built on.
type Parts struct {
	Router  *httpapi.Router
	Service *messages.Service
	Engine  *engine.Engine
	Log     *slog.Logger
}

// Server is a test server.
type Server struct {
	*httptest.Server
	Statuses chan int      // of its answers, as it observed them
	Schemas  huma.Registry // of the document
}

// Serve runs a server until the test ends. It says "Hello, world!" unless told otherwise.
func Serve(t *testing.T, s Setup) *Server {
	t.Helper()
	if s.Model.Answer == nil {
		s.Model.Answer = enginetest.Say("Hello, world!")
	}
	e, run := newEngine(t, s)
	statuses := make(chan int, 1000)
	router := httpapi.New(httpapi.Config{
		Title: "test", Version: "1", CORSOrigins: []string{"*"}, MaxBody: cmp.Or(s.MaxBody, 20_000),
		Keys: auth.New(auth.Config{Fixed: []auth.Fixed{
			{Secret: Key, Key: auth.Key{ID: "user", Tenant: auth.DefaultTenant, Scopes: []auth.Scope{"messages"}}},
			{Secret: AdminKey, Key: auth.Key{ID: "operator", Tenant: auth.DefaultTenant, Scopes: []auth.Scope{"admin"}}},
		}}),
		Guards: []httpapi.Guard{{Prefix: "/v1", Scope: "messages"}, {Prefix: "/admin", Scope: "admin"}},
		Limits: ratelimit.New(s.Limits),
		Caller: messages.CallerOf, IDHeaders: s.IDHeaders, Surfaces: s.Surfaces,
		Observe: func(_, _ string, status int, _ time.Duration) { statuses <- status },
	})
	log := slog.New(slog.DiscardHandler)
	if s.Renderer == nil {
		s.Renderer = ByteText{s.Prompting}
	}
	service := messages.New(messages.Config{Engine: e, Renderer: s.Renderer, Limiter: router, Aliases: s.Aliases, Log: log, Sign: sign})
	s.Register(Parts{router, service, e, log})
	stop := run()
	web := httptest.NewServer(router.Handler())
	t.Cleanup(func() { stop(); web.Close() })
	return &Server{web, statuses, router.API().OpenAPI().Components.Schemas}
}

// sign is a keyed digest enough for tests.
func sign(tenant, text string) []byte {
	sum := sha256.Sum256([]byte("key " + tenant + " " + text))
	return sum[:]
}

// newEngine returns an engine, and what runs it until the returned function is called.
func newEngine(t *testing.T, s Setup) (e *engine.Engine, run func() (stop func())) {
	t.Helper()
	ready := make(chan struct{})
	cfg := engine.Config{
		Open: func(progress func(string, float64)) (engine.Model, error) {
			defer close(ready)
			return enginetest.New(s.Model).Open(progress)
		},
		Budget: 100 * enginetest.BlockBytes, MaxBatch: 4, MaxQueue: 100, ChunkTokens: 64,
	}
	if s.Engine != nil {
		s.Engine(&cfg)
	}
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e, func() func() {
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
		return func() { cancel(); running.Wait() }
	}
}

// Post sends a body with the key.
func (s *Server) Post(t *testing.T, path, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", Key)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return s.Do(t, req)
}

// Do makes a request.
func (s *Server) Do(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	answer, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// Text reads an answer's body.
func Text(t *testing.T, answer *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
