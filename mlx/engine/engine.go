package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
)

// How long the watchdog waits for a step while work waits.
const (
	hangAfter  = 10 * time.Second // then the engine is reported as hung
	fatalAfter = 60 * time.Second // then Config.Fatal is called
)

// Config describes an engine.
type Config struct {
	// Open loads the model. It runs on the thread that owns the device and reports its progress: a phase, and how
	// much of it is done from 0 to 1.
	Open func(progress func(phase string, done float64)) (Model, error)

	Budget      int64 // bytes for KV
	MaxBatch    int   // most sequences that run at once
	MaxQueue    int   // most requests that wait for a slot
	ChunkTokens int   // most prompt tokens computed in a step
	ReadyBlocks int   // blocks that are allocated ahead while nothing runs, within the budget

	// Tenant returns the secrets that name a tenant's blocks. Without it every prompt is computed anew.
	Tenant func(name string) *kv.Tenant
	// Tiers keep blocks below the pool, the fastest first.
	Tiers []kv.Tier
	// Owned tells whether somebody still needs a tail that a stored block begins with. It may be nil.
	Owned func(ctx context.Context, tail kv.Entry) bool
	// Moves is told what the cache over the tiers does.
	Moves cache.Listener
	// Margin is how much longer fetching a block may take than computing it: what is fetched is equal to the bit, what was
	// generated and is computed anew as prompt need not be. 20 ms.
	Margin time.Duration
	// Patience is how long a sequence waits at least for a block that is on its way before it does without: 250 ms. For room
	// that costs no block that is not durable yet it waits as long, and never less than a second.
	Patience time.Duration
	// FlushFor is how long Run may take at its end to store what no tier has yet: 10 s.
	FlushFor time.Duration

	Listener Listener        // told what happens
	Logger   *slog.Logger    // nil discards
	Fatal    func(err error) // called once when the device hangs for good; must end the process
	Seed     func() uint64   // seeds requests that bring none; nil takes math/rand
}

// Engine runs one model for many requests. Run must be running for requests to get on.
type Engine struct {
	cfg      Config
	listener Listener
	wake     chan struct{} // holds a token when the loop has something new to look at
	device   chan func()   // work of others for the thread that owns the device
	closed   chan struct{} // closed when that thread takes no more of it

	tokenNanos atomic.Int64 // that a prompt token takes to compute, of late; 0 before any was

	mu     sync.Mutex
	status Status
	queue  []*sequence // waiting for their first slot, oldest first
	age    uint64      // of the request submitted last
	spec   Spec
	pool   *kv.Pool
	cache  *cache.Cache
	beat   time.Time     // when the last step ended, or when work arrived at an idle loop
	busy   bool          // whether work waits for a step
	idle   chan struct{} // while draining: closed when no work is left
}

// New returns an engine that loads its model when it runs.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.Open == nil:
		return nil, errors.New("create engine: Config.Open is missing")
	case cfg.MaxBatch < 1 || cfg.MaxQueue < 1 || cfg.ChunkTokens < 1:
		return nil, fmt.Errorf("create engine: batch %d, queue %d and chunk %d must be at least 1",
			cfg.MaxBatch, cfg.MaxQueue, cfg.ChunkTokens)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Seed == nil {
		cfg.Seed = rand.Uint64
	}
	if cfg.Fatal == nil {
		cfg.Fatal = func(err error) { panic(err) }
	}
	if cfg.Margin <= 0 {
		cfg.Margin = 20 * time.Millisecond
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 250 * time.Millisecond
	}
	if cfg.FlushFor <= 0 {
		cfg.FlushFor = 10 * time.Second
	}
	return &Engine{
		cfg:      cfg,
		listener: cfg.Listener.complete(),
		wake:     make(chan struct{}, 1),
		device:   make(chan func()),
		closed:   make(chan struct{}),
		status:   Status{Phase: "starting", BatchSize: cfg.MaxBatch},
	}, nil
}

// Run locks an OS thread, opens the model on it and runs the step loop until ctx ends. Requests that are unfinished
// then fail with ErrDraining. All device memory is freed before it returns, on the same thread.
func (e *Engine) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	model, err := e.open()
	if err != nil {
		return fmt.Errorf("load the model: %w", err)
	}
	defer e.closeModel(model)
	defer close(e.closed)

	watched, stop := context.WithCancel(context.WithoutCancel(ctx))
	var guards sync.WaitGroup
	guards.Go(func() { e.watch(watched) })
	defer guards.Wait()
	defer stop()

	newLoop(e, model).run(ctx)
	return nil
}

// open loads the model and makes the engine take requests.
func (e *Engine) open() (Model, error) {
	var model Model
	err := guarded(func() (err error) {
		model, err = e.cfg.Open(e.progress)
		return err
	})
	if err != nil {
		return nil, err
	}
	spec := model.Spec()
	pool, err := kv.NewPool(kv.Config{
		Budget:     e.cfg.Budget,
		BlockBytes: spec.BlockBytes,
		Allocate:   func() (kv.Memory, error) { return model.NewBlock() },
		Reclaimed:  e.reclaimed,
	})
	if err != nil {
		e.closeModel(model)
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.spec, e.pool, e.cache = spec, pool, e.newCache(model, pool)
	e.status.Started, e.status.Phase, e.status.Progress = true, "ready", 1
	return model, nil
}

func (e *Engine) progress(phase string, done float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.Phase, e.status.Progress = phase, done
}

func (e *Engine) closeModel(model Model) {
	if err := guarded(model.Close); err != nil {
		e.cfg.Logger.Error("model_close_failed", "error", err)
	}
}

// Spec describes the loaded model; it is empty before the engine has started.
func (e *Engine) Spec() Spec {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.spec
}
