package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/object"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/actions"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/modules/health"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/lifecycle"
	"github.com/agent-memory/agent-memory/platform/metrics"
	"github.com/agent-memory/agent-memory/platform/objectstore"
	"github.com/agent-memory/agent-memory/platform/tracing"
)

const (
	name    = "agent-memory"
	version = "0.1.0"
	about   = "A server that gives LLM agents a memory that survives."
)

// drainLag is how long a server that ends still takes requests, since balancers learn of it late.
const drainLag = 5 * time.Second

// readyTokens is how many tokens' KV memory is allocated ahead while nothing runs.
const readyTokens = 8192

// flushFor is how long storing what no tier has yet may take at the end.
const flushFor = 10 * time.Second

// answerGrace is how long broken off answers have to reach their clients.
const answerGrace = 5 * time.Second

// dependencies are what the server is built on, beside its settings.
type dependencies struct {
	locate    func(ctx context.Context, id string, progress func(phase string, done float64)) (path string, err error)
	openModel func(cfg config.MLX, path string, progress func(phase string, done float64)) (engine.Model, error)
	openText  func(path, template string) (messages.Renderer, error)
	kept      func() ([]keptModel, error) // the models in the hub's cache
	fatal     func(error)                 // ends the process when the device hangs for good
	log       *slog.Logger
	drainLag  time.Duration
	traces    *tracing.Tracing // nil: none
}

// server is all parts, wired.
type server struct {
	cfg       config.Config
	deps      dependencies
	engine    *engine.Engine
	router    *httpapi.Router
	health    *health.Module
	disk      *tier.Late          // nil: nothing survives
	shared    kv.Tier             // of all nodes, in the bucket; nil: there is none
	bucket    *objectstore.Bucket // nil: there is none
	inventory kv.Inventory        // of the bucket
	checked   func(object.Request)
	agents    *agents.Registry
	keys      *keyring
	journal   *actions.Journal

	tenants *tenants
	memory  *memory
}

// newServer wires the parts. Nothing runs yet.
func newServer(cfg config.Config, deps dependencies) (*server, error) {
	if deps.traces == nil {
		deps.traces = tracing.Off()
	}
	exposition := metrics.New()
	counters := newTelemetry(exposition.Registry())
	keys := newKeyring(cfg, deps.log)
	journal := actions.New(deps.log)
	s := &server{cfg: cfg, deps: deps, keys: keys, journal: journal, router: newRouter(cfg, keys.guard, journal, exposition, deps)}
	if err := errors.Join(s.openDisk(counters), s.openBucket(counters)); err != nil {
		return nil, err
	}
	for _, tier := range s.tiers() {
		counters.tiers.begin(tier.Name())
	}
	renderer, mem, tenants := &prompt.Late{}, &memory{}, newTenants(newSecret())
	s.tenants = tenants
	s.agents = s.openAgents(mem, counters)
	keys.learn()
	e, err := engine.New(s.engineConfig(renderer, tenants, counters))
	if err != nil {
		return nil, err
	}
	s.engine = e
	mem.engine, mem.tenants, mem.renderer, mem.ledger = e, tenants, renderer, counters.accounts.ledger
	s.memory = mem
	watch(exposition.Registry(), e.Status)
	watchTiers(exposition.Registry(), mem, s.agents)
	s.register(renderer, mem, counters, exposition.Handler())
	watchHealth(exposition.Registry(), s.health.IsReady)
	counters.tenants.usage.Register(s.router)
	counters.accounts.ledger.Register(s.router)
	return s, nil
}

func (s *server) engineConfig(renderer *prompt.Late, tenants *tenants, counters *telemetry) engine.Config {
	cfg := s.cfg
	return engine.Config{
		Open: func(progress func(string, float64)) (engine.Model, error) {
			model, err := openModelAndText(cfg.MLX, s.deps, renderer, progress) //nolint:contextcheck // the start of the process
			if err == nil {
				awaitDisk(s.disk, progress, s.deps.log)
			}
			return model, err
		},
		Budget:      cfg.MLX.CacheBudgetMB << 20,
		Share:       float64(cfg.MLX.TenantPercent) / 100,
		MaxBatch:    cfg.MLX.MaxBatchSize,
		MaxQueue:    cfg.Server.MaxQueue,
		MaxWait:     time.Duration(cfg.Server.MaxWaitSeconds) * time.Second,
		ChunkTokens: cfg.MLX.PrefillStepSize,
		ReadyBlocks: readyTokens / engine.BlockTokens,
		Audit:       int(cfg.Server.Audit),
		Tenant:      tenants.of,
		Payer:       counters.accounts.payer,
		Meter:       counters.accounts.ledger.Meter("pool"),
		Storable:    tenants.keeps,
		Tiers:       s.tiers(),
		Policies:    policies(),
		Chains:      s.recorded,
		Owned:       s.agents.Owns,
		Moves:       tracedMoves(s.deps.traces, counters.moves()),
		Listener:    s.noting(counters.listener()),
		FlushFor:    s.flushFor(),
		Logger:      s.deps.log,
		Fatal:       s.deps.fatal,
	}
}

// flushFor is how long storing what the tiers lack may take at the end.
func (s *server) flushFor() time.Duration {
	if s.bucket != nil {
		return bucketFlushFor
	}
	return flushFor
}

// openModelAndText finds the model and loads its text side, then its weights.
func openModelAndText(cfg config.MLX, deps dependencies, late *prompt.Late, progress func(string, float64)) (engine.Model, error) {
	model, err := func() (engine.Model, error) {
		path, err := deps.locate(context.Background(), cfg.ModelID, progress)
		if err != nil {
			return nil, err
		}
		progress("loading the tokenizer", 0)
		renderer, err := deps.openText(path, cfg.ChatTemplate)
		if err != nil {
			return nil, err
		}
		return openModelWith(cfg, deps, path, renderer, late, progress)
	}()
	if err != nil {
		return nil, fmt.Errorf("SEMANTIC_MLX_MODEL_ID=%s: %w", cfg.ModelID, err)
	}
	return model, nil
}

// openModelWith loads the weights of a model whose text side is there. That takes its place only then: nobody may render for a
// model that is not loaded.
func openModelWith(
	cfg config.MLX, deps dependencies, path string, renderer messages.Renderer, late *prompt.Late, progress func(string, float64),
) (engine.Model, error) {
	model, err := deps.openModel(cfg, path, progress)
	if err != nil {
		return nil, err
	}
	if model, err = withStopTokensOf(model, renderer); err != nil {
		return nil, err
	}
	late.Set(renderer)
	return model, nil
}

// withStopTokensOf has the model's answers end where the renderer knows that they do, if it knows.
func withStopTokensOf(m engine.Model, renderer messages.Renderer) (engine.Model, error) {
	knowing, ok := renderer.(interface{ StopTokens() []int32 })
	if !ok {
		return m, nil
	}
	stopping, err := prompt.WithStopTokens(m, knowing.StopTokens())
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return stopping, nil
}

// run serves on the listener until ctx ends, and then winds up in order.
func (s *server) run(ctx context.Context, listener net.Listener) error {
	web := &httpapi.Server{Listener: listener, Handler: s.router.Handler(), Grace: answerGrace, Log: s.deps.log}
	return lifecycle.Run(ctx, lifecycle.Config{
		Foundation: s.storage(),
		Services: []lifecycle.Service{
			{Name: "http", Run: web.Run},
			{Name: "engine", Run: s.engine.Run},
			{Name: "health", Run: s.health.Run},
			{Name: "keys", Run: s.keys.Run},
			{Name: "actions", Run: s.journal.Run},
		},
		Leave:    s.health.Leave,
		Lag:      s.deps.drainLag,
		Drain:    s.engine.Drain,
		Patience: time.Duration(s.cfg.Server.DrainSeconds) * time.Second,
		Grace:    s.flushFor() + 2*answerGrace,
		Log:      s.deps.log,
	})
}
