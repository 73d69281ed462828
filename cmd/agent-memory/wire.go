package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv/disk"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/health"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/modules/pool"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/config"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/lifecycle"
	"github.com/agent-memory/agent-memory/platform/metrics"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"github.com/danielgtaylor/huma/v2"
)

const (
	name    = "agent-memory"
	version = "0.1.0"
	about   = "A server that gives LLM agents a memory that survives."
)

// balancerLag is how long a server that ends still takes requests, since balancers learn of it late.
const balancerLag = 5 * time.Second

// readyTokens is how many tokens' KV memory is allocated ahead while nothing runs.
const readyTokens = 8192

// flushFor is how long storing what no tier has yet may take at the end.
const flushFor = 10 * time.Second

// lastWords is how long broken off answers have to reach their clients.
const lastWords = 5 * time.Second

// doors are what the server is built on, beside its settings.
type doors struct {
	locate    func(progress func(phase string, done float64)) (path string, err error)
	openModel func(cfg config.MLX, path string, progress func(phase string, done float64)) (engine.Model, error)
	openText  func(path string) (messages.Prompter, error)
	fatal     func(error) // ends the process when the device hangs for good
	log       *slog.Logger
	lag       time.Duration
}

// server is all parts, wired.
type server struct {
	cfg    config.Config
	doors  doors
	engine *engine.Engine
	router *httpapi.Router
	health *health.Module
	disk   *disk.Late // nil: nothing survives
	agents *agents.Registry
}

// newServer wires the parts. Nothing runs yet.
func newServer(cfg config.Config, d doors) (*server, error) {
	counted := metrics.New()
	told := newTelemetry(counted.Registry())
	s := &server{cfg: cfg, doors: d, router: newRouter(cfg, counted, d.log)}
	if err := s.openDisk(told); err != nil {
		return nil, err
	}
	text, held := &lateText{}, &memory{}
	s.agents = agents.NewRegistry(context.Background(), agents.Settings{
		Open: openRecords(cfg.Agent.CacheDir), Memory: held, MostHot: cfg.Agent.MaxAgentsInMemory, TTL: cfg.Agent.TTL,
		Log: d.log, Secret: newSecret(),
	})
	known := tenants(s.agents.Secret())
	e, err := engine.New(engine.Config{
		Open: func(progress func(string, float64)) (engine.Model, error) {
			return openBoth(cfg.MLX, d, text, progress)
		},
		Budget:      cfg.MLX.CacheBudgetMB << 20,
		MaxBatch:    cfg.MLX.MaxBatchSize,
		MaxQueue:    cfg.Server.MaxQueue,
		ChunkTokens: cfg.MLX.PrefillStepSize,
		ReadyBlocks: readyTokens / engine.BlockTokens,
		Tenant:      known,
		Tiers:       s.tiers(),
		Owned:       s.agents.Owns,
		Moves:       told.moves(),
		Listener:    s.noting(told.listener()),
		FlushFor:    flushFor,
		Logger:      d.log,
		Fatal:       d.fatal,
	})
	if err != nil {
		return nil, err
	}
	s.engine = e
	held.engine, held.tenants, held.text = e, known, text
	watch(counted.Registry(), e.Status)
	watchTiers(counted.Registry(), held, s.agents)
	agents.Register(s.router, s.agents)
	pool.Register(s.router, held)
	s.register(text, counted.Handler())
	return s, nil
}

// openBoth finds the model and loads its text side, then its weights.
func openBoth(cfg config.MLX, d doors, text *lateText, progress func(string, float64)) (engine.Model, error) {
	model, err := func() (engine.Model, error) {
		path, err := d.locate(progress)
		if err != nil {
			return nil, err
		}
		progress("loading the tokenizer", 0)
		prompter, err := d.openText(path)
		if err != nil {
			return nil, err
		}
		text.set(prompter)
		return d.openModel(cfg, path, progress)
	}()
	if err != nil {
		return nil, fmt.Errorf("SEMANTIC_MLX_MODEL_ID=%s: %w", cfg.ModelID, err)
	}
	return model, nil
}

func newRouter(cfg config.Config, counted *metrics.Metrics, log *slog.Logger) *httpapi.Router {
	return httpapi.New(httpapi.Config{
		Title: name, Version: version, Description: about,
		CORSOrigins:  cfg.Server.CORSOrigins,
		LoopbackOnly: cfg.Keyless(),
		Keys:         auth.NewKeys(cfg.APIKeys).WithAdmin(cfg.AdminKey),
		Limits:       ratelimit.New(ratelimit.Config{PerCaller: cfg.Server.RateLimitPerAgent, Global: cfg.Server.RateLimitGlobal}),
		Envelopes:    []httpapi.Envelope{messages.Envelope()},
		Log:          log,
		Observe:      counted.Request,
	})
}

// register adds the modules' routes.
func (s *server) register(text messages.Prompter, exposition http.Handler) {
	messages.Register(messages.Config{
		Router: s.router, Engine: s.engine, Prompter: text, Temperature: s.cfg.MLX.Temperature, Aliases: s.cfg.Server.ModelAliases, Log: s.doors.log,
	})
	s.health = health.Register(health.Config{
		Router: s.router, Engine: s.engine, Name: name, Version: version,
		Endpoints: []string{"/v1/messages", "/v1/messages/count_tokens", "/v1/agents", "/admin/agents", "/admin/pool", "/admin/explain", "/health/live", "/health/ready", "/health/startup", "/metrics"},
	})
	s.router.Handle(huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Summary: "Metrics for Prometheus", Tags: []string{"health"},
		Responses: map[string]*huma.Response{"200": {
			Description: "The exposition",
			Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, exposition.ServeHTTP)
}

// run serves on the listener until ctx ends, and then winds up in order.
func (s *server) run(ctx context.Context, listener net.Listener) error {
	below := s.startBelow(ctx)
	defer below()
	web := &httpapi.Server{Listener: listener, Handler: s.router.Handler(), Grace: lastWords, Log: s.doors.log}
	return lifecycle.Run(ctx, lifecycle.Config{
		Services: []lifecycle.Service{
			{Name: "http", Run: web.Run},
			{Name: "engine", Run: s.engine.Run},
			{Name: "health", Run: s.health.Run},
		},
		Leave:    s.health.Leave,
		Lag:      s.doors.lag,
		Drain:    s.engine.Drain,
		Patience: time.Duration(s.cfg.Server.DrainSeconds) * time.Second,
		Grace:    flushFor + 2*lastWords,
		Log:      s.doors.log,
	})
}
