package main

import (
	"context"
	"net/http"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/actions"
	agentsapi "github.com/agent-memory/agent-memory/modules/agents/api"
	"github.com/agent-memory/agent-memory/modules/console"
	"github.com/agent-memory/agent-memory/modules/explain"
	"github.com/agent-memory/agent-memory/modules/health"
	"github.com/agent-memory/agent-memory/modules/inflight"
	keysapi "github.com/agent-memory/agent-memory/modules/keys/api"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/modules/messages/anthropic"
	"github.com/agent-memory/agent-memory/modules/messages/openai"
	"github.com/agent-memory/agent-memory/modules/models"
	"github.com/agent-memory/agent-memory/modules/pool"
	"github.com/agent-memory/agent-memory/modules/profile"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/metrics"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"github.com/danielgtaylor/huma/v2"
)

// newRouter returns the router, with what the surfaces have of their own.
func newRouter(cfg config.Config, guard *auth.Authenticator, journal *actions.Journal, exposition *metrics.Metrics, deps dependencies) *httpapi.Router {
	router := httpapi.Config{
		Title: name, Version: version, Description: about,
		CORSOrigins:  cfg.Server.CORSOrigins,
		LoopbackOnly: cfg.Keyless(),
		OpenBy:       "ANTHROPIC_API_KEY",
		MaxBody:      anthropic.MaxBody,
		Keys:         guard,
		Guards:       guards(),
		Acted: func(ctx context.Context, a httpapi.Act) {
			journal.Note(ctx, actions.Action{Key: a.Key, Method: a.Method, Path: a.Path, Status: a.Status, RequestID: a.RequestID})
		},
		Limits:    limiter(cfg.Server),
		Caller:    messages.CallerOf,
		IDHeaders: []string{anthropic.RequestIDHeader},
		Surfaces:  append(openai.Surfaces(), anthropic.Surface()),
		Log:       deps.log,
		Observe:   exposition.Request,
	}
	if deps.traces.IsOn() {
		router.Trace = deps.traces.Served
	}
	return httpapi.New(router)
}

// limiter counts requests of agents, tenants and the node.
func limiter(cfg config.Server) *ratelimit.Limiter {
	return ratelimit.New(ratelimit.Config{
		PerCaller: cfg.RateLimitPerAgent, PerTenant: cfg.RateLimitPerTenant, Global: cfg.RateLimitGlobal,
	})
}

// register adds the modules' routes.
func (s *server) register(renderer *prompt.Late, mem *memory, counters *telemetry, exposition http.Handler) {
	agentsapi.Register(agentsapi.Config{Router: s.router, Registry: s.agents, Locate: mem.Where, RevokeKeys: s.keys.RevokeAll, Log: s.deps.log})
	s.journal.Register(s.router)
	keysapi.Register(keysapi.Config{Router: s.router, Keys: s.keys.Keys, Log: s.deps.log})
	pool.Register(s.router, mem)
	profile.Register(s.router)
	inflight.Register(s.router, s.engine)
	console.Register(s.router)
	shelf := newShelf(s, renderer)
	asked := messages.Config{
		Engine: s.engine, Renderer: renderer, Limiter: s.router, Temperature: s.cfg.MLX.Temperature,
		Aliases: append([]string{anthropic.ModelAlias}, s.cfg.Server.ModelAliases...), Log: s.deps.log,
		Diverged: counters.diverged, Sign: mem.tenants.sign, Worked: s.agents.Worked,
		AnyModel: s.cfg.Server.UnknownModel == "alias",
	}
	var choice *models.Switch
	if s.cfg.Server.UnknownModel == "swap" {
		choice = newSwitch(s.cfg.Server, shelf, s.deps.log)
		asked.Switch, asked.Others = choice, shelf.others
	}
	service := messages.New(asked)
	mem.messages = service
	surface := anthropic.Register(anthropic.Config{
		Router: s.router, Service: service, KeepAttribution: s.cfg.Server.KeepAttribution, Log: s.deps.log,
	})
	openai.Register(openai.Config{Router: s.router, Service: service, Log: s.deps.log})
	models.Register(models.Config{
		Router: s.router, Shelf: shelf, Switch: choice, Spec: s.engine.Spec, Absence: s.engine.Absence,
	})
	explain.Register(explain.Config{Router: s.router, Engine: s.engine, Text: renderer, Prompts: surface})
	s.health = health.Register(health.Config{
		Router: s.router, Engine: s.engine, Name: name, Version: version, Endpoints: endpoints(), Reason: s.withoutSecret,
	})
	s.registerMetrics(exposition)
}

// endpoints are those that GET / tells of.
func endpoints() []string {
	return []string{
		"/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/models", "/v1/agents",
		"/admin/ui", "/admin/agents", "/admin/requests", "/admin/api-keys", "/admin/pool", "/admin/pprof/{profile}", "/admin/usage", "/admin/ledger", "/admin/actions", "/admin/explain", "/admin/models",
		"/health/live", "/health/ready", "/health/startup", "/metrics",
	}
}

// registerMetrics adds /metrics.
func (s *server) registerMetrics(exposition http.Handler) {
	s.router.Handle(huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Summary: "Metrics for Prometheus", Tags: []string{"health"},
		Responses: map[string]*huma.Response{"200": {
			Description: "The exposition",
			Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, exposition.ServeHTTP)
}
