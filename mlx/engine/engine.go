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
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// Open loads a model. It runs on the thread that owns the device and reports its progress: a phase, and how much of it is done
// from 0 to 1.
type Open func(progress func(phase string, done float64)) (Model, error)

// Config describes an engine.
type Config struct {
	Open Open // loads the first model

	Budget      int64         // bytes for KV
	Share       float64       // of them, that a tenant keeps when memory is needed; 0 and 1 are no bound
	MaxBatch    int           // most sequences that run at once
	MaxQueue    int           // most requests that wait for a slot
	MaxWait     time.Duration // that a request waits for its first slot; 0 for no limit
	ChunkTokens int           // most prompt tokens computed in a step
	ReadyBlocks int           // blocks that are allocated ahead while nothing runs, within the budget

	// Tenant returns the secrets that name a tenant's blocks. Without it every prompt is computed anew.
	Tenant func(name string) *kv.Tenant
	// Payer is who pays for a request. It may be nil: then nobody is told of in Listener and Moves.
	Payer func(Asks) kv.Payer
	// Meter is told which blocks the pool has. It may be nil.
	Meter kv.Meter
	// Tiers keep blocks below the pool, the fastest first.
	Tiers []kv.Tier
	// Policies say how blocks go to the tiers, by name.
	Policies map[string]cache.Policy
	// Chains are the conversations of an agent as far as they are recorded, the one used last first: where
	// distant tiers are to look for what other nodes stored. It may be nil.
	Chains func(ctx context.Context, tenant, agent string) []kv.Chain
	// Owned tells whether somebody still needs a tail that a stored block begins with. It may be nil.
	Owned func(ctx context.Context, tail kv.Ref) bool
	// Storable tells whether blocks under a salt may go to the tiers. Nil: all may.
	Storable func(kv.SaltID) bool
	// Moves is told what the cache over the tiers does.
	Moves cache.Listener
	// Margin is how much longer fetching a block may take than computing it: what is fetched is equal to the
	// bit, what was generated and is computed anew as prompt need not be. 20 ms.
	Margin time.Duration
	// Patience is how long a sequence waits at least for a block that is on its way before it does without: 250
	// ms. For room that costs no block that is not durable yet it waits as long, and never less than a second.
	Patience time.Duration
	// MostUnsaved is the share of the pool that may wait to be stored before further stores are left for later: a half.
	MostUnsaved float64
	// FlushFor is how long Run may take at its end to store what no tier has yet: 10 s.
	FlushFor time.Duration

	// Audit has one request in so many computed a second time without any cache, while nothing else runs, and
	// compared bit for bit; 0 for none.
	Audit int

	Listener Listener         // told what happens
	Logger   *slog.Logger     // nil discards
	Fatal    func(err error)  // called once when the device hangs for good; must end the process
	Seed     func() uint64    // seeds requests that bring none; nil takes math/rand
	Clock    func() time.Time // nil: time.Now
}

// since is how long ago something was.
func (c *Config) since(then time.Time) time.Duration { return c.Clock().Sub(then) }

// Engine runs one model for many requests. Run must be running for requests to get on.
type Engine struct {
	cfg       *Config
	listener  Listener
	wake      wake
	admission *admission
	swaps     *swaps
	restores  *restorePolicy
	submitted atomic.Uint64 // requests, to choose audits

	presence
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
	if cfg.Clock == nil {
		cfg.Clock = time.Now
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
		cfg:       &cfg,
		listener:  cfg.Listener.complete(),
		wake:      make(wake, 1),
		swaps:     newSwaps(),
		admission: &admission{cfg: &cfg, arrivals: newArrivals()},
		restores:  &restorePolicy{margin: cfg.Margin, minimum: cfg.Patience},
		presence:  presence{phase: "starting"},
	}, nil
}

// Run locks an OS thread, opens the model on it and runs the step loop until ctx ends, with one model after the other if they
// are swapped. Requests that are unfinished then fail with ErrDraining. All device memory is freed before it returns, on the
// same thread.
func (e *Engine) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer e.swaps.close()
	now, err := e.open(e.cfg.Open) //nolint:contextcheck // the cache ends by Close, after a last flush
	if err != nil {
		return fmt.Errorf("load the model: %w", err)
	}
	watched, stop := context.WithCancel(context.WithoutCancel(ctx))
	var guards sync.WaitGroup
	guards.Go(func() { (&watchdog{e.cfg, e.admission}).watch(watched) })
	defer guards.Wait()
	defer stop()
	for {
		next := e.runOne(ctx, now)
		if next == nil {
			return nil
		}
		if now, err = e.replace(now.open, next); err != nil { //nolint:contextcheck // as above
			return err
		}
	}
}

// running is a model that runs; empty where there is none.
type running struct {
	open  Open // by which it was opened
	model Model
	on    *loaded
}

// runOne runs a model until ctx ends or it is to be swapped, and frees all that is its. It returns the swap, or nil.
func (e *Engine) runOne(ctx context.Context, now *running) (next *swap) {
	if now.model == nil {
		return e.runNone(ctx)
	}
	defer e.closeModel(now.model)
	defer close(now.on.device.closed)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case next = <-e.swaps.wanted:
			stop(errSwapped)
		case <-running.Done():
		}
	}()
	newLoop(e, now.on, now.model).run(running)
	<-ended
	return next
}

// runNone waits without a model until ctx ends or one is to be loaded.
func (e *Engine) runNone(ctx context.Context) (next *swap) {
	select {
	case next = <-e.swaps.wanted:
	case <-ctx.Done():
		e.admission.drain()
	}
	return next
}

// open loads a model and makes the engine take requests.
func (e *Engine) open(load Open) (*running, error) {
	var model Model
	err := guarded(func() (err error) {
		model, err = load(e.notePhase)
		return err
	})
	if err != nil {
		return nil, err
	}
	on, err := e.newLoaded(model)
	if err != nil {
		e.closeModel(model)
		return nil, err
	}
	for _, note := range on.spec.Notes {
		e.cfg.Logger.Info("model_note", "model", on.spec.Name, "note", note)
	}
	e.note(on, "ready", 1)
	return &running{load, model, on}, nil
}

// newLoaded makes the pool for a model, and what stands on it.
func (e *Engine) newLoaded(model Model) (*loaded, error) {
	spec := model.Spec()
	blocks, err := pool.New(pool.Config{
		Budget:     e.cfg.Budget,
		BlockBytes: spec.BlockBytes,
		Share:      e.cfg.Share,
		Allocate:   func() (pool.Memory, error) { return model.NewBlock() },
		Evicted:    e.evicted,
		Meter:      e.cfg.Meter,
	})
	if err != nil {
		return nil, err
	}
	device := newDevice()
	tiers := e.newCache(model, blocks, device)
	return &loaded{
		spec: spec, pool: blocks, cache: tiers, device: device,
		planner: &planner{cfg: e.cfg, spec: spec, pool: blocks, cache: tiers, restores: e.restores},
		slots:   &slots{cfg: e.cfg, admission: e.admission, restores: e.restores},
	}, nil
}

func (e *Engine) closeModel(model Model) {
	if err := guarded(model.Close); err != nil {
		e.cfg.Logger.Error("model_close_failed", "error", err)
	}
}
