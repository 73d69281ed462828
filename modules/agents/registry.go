package agents

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Memory holds the agents' blocks.
type Memory interface {
	Blocks
	Requests
}

// Blocks moves and removes blocks.
type Blocks interface {
	// Holdings tells what each tier has of the chains, the pool first.
	Holdings(chains []kv.Chain) []kv.Holding
	// Evict takes blocks out of the pool, once the tier of that name has them; empty for any lower tier.
	Evict(ctx context.Context, chains []kv.Chain, to string) (kv.Moved, error)
	// Prefetch brings blocks into the pool and waits until they are there.
	Prefetch(ctx context.Context, tenant string, chains []kv.Chain) (kv.Moved, error)
	// Retain gives blocks up after others until the given time.
	Retain(chains []kv.Chain, until time.Time)
	// Delete removes blocks everywhere.
	Delete(ctx context.Context, entries []kv.Ref) (kv.Moved, error)
	// DeleteTenant removes all blocks of a tenant everywhere, but for those that are known to have been stored after the
	// given time.
	DeleteTenant(ctx context.Context, tenant string, until time.Time) (kv.Moved, error)
}

// Requests are those of agents that are under way.
type Requests interface {
	// Forget makes an agent's requests that are under way nobody's, so that nothing is kept of them, and
	// returns how many there are and the blocks that they made so far.
	Forget(ctx context.Context, tenant, id string) (chains []kv.Chain, underWay int, err error)
	// ForgetTenant is Forget for all requests of a tenant.
	ForgetTenant(ctx context.Context, tenant string) error
	// Busy tells whether requests of an agent are under way.
	Busy(ctx context.Context, tenant, id string) bool
	// Warm computes a system prompt's KV for an agent and returns the number of its tokens. It returns an
	// *UnfitError for a prompt that the model can't take.
	Warm(ctx context.Context, tenant, id, system string) (tokens int, err error)
}

// Settings are those of the registry.
type Settings struct {
	// Open opens the store. While that fails, records stay in memory and are written later.
	Open    func(ctx context.Context) (Store, error)
	Memory  Memory
	MostHot int           // agents with blocks in the pool; beyond, the one used longest ago is evicted
	TTL     time.Duration // of agents that bring none; 0: for ever
	Log     *slog.Logger
	Secret  []byte // of the cluster: proposed to the store, or known
	Known   bool   // the cluster has this secret: a store with another one is not used
	// OneSecret says that a secret that was stored is known from then on. Without it a store that was
	// replaced by another has the other's secret taken.
	OneSecret bool
	// Settled is told of the cluster's secret when it is known to be stored. It may be nil.
	Settled func(secret []byte)
	// Keeps tells whether blocks under the salt are found again after a restart; others' chains are not
	// recorded. It may be nil.
	Keeps func(kv.SaltID) bool
	// Shared is the storage that all nodes share, from which is collected what nobody owns. Nil: there is
	// none.
	Shared kv.Inventory
	// Collected is told of every collection that came to its end. It may be nil.
	Collected func(Collection)

	Collect time.Duration    // between two collections: 1 h, or a quarter of a shorter TTL
	Retry   time.Duration    // first pause after a failure of the store: 1 s
	Sweep   time.Duration    // between two looks for agents that outlived their TTL: 1 min
	Beat    time.Duration    // between two signs of life to a store that nodes share: BeatEvery
	Clock   func() time.Time // time.Now
}

// complete fills in what is not given.
func (s Settings) complete() Settings {
	if s.Retry <= 0 {
		s.Retry = time.Second
	}
	if s.Sweep <= 0 {
		s.Sweep = time.Minute
	}
	if s.Collect <= 0 {
		s.Collect = time.Hour
		if s.TTL > 0 {
			s.Collect = min(s.Collect, s.TTL/4)
		}
	}
	if s.Collected == nil {
		s.Collected = func(Collection) {}
	}
	if s.Beat <= 0 {
		s.Beat = BeatEvery
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Settled == nil {
		s.Settled = func([]byte) {}
	}
	if s.Keeps == nil {
		s.Keeps = func(kv.SaltID) bool { return true }
	}
	if s.Clock == nil {
		s.Clock = time.Now
	}
	return s
}

// maxPause is the longest pause between two attempts to reach the store.
const maxPause = 10 * time.Second

// evictTimeout is how long the eviction of a surplus agent may hold up the writing of records.
const evictTimeout = 5 * time.Second

// Registry knows the agents of this node's store.
//
// A use is noted at once and written soon by Run. What is not written yet is part of every answer, so nobody
// sees an agent without the turn that has just ended.
type Registry struct {
	cfg     Settings
	conn    *connection
	writer  *writer
	janitor *janitor
	hot     *hotAgents
	parents *parents
	*commander
	wakeUps chan struct{} // a use was noted
}

// NewRegistry opens the store if it can be opened now. Run does the rest.
func NewRegistry(ctx context.Context, cfg Settings) *Registry {
	cfg = cfg.complete()
	r := &Registry{cfg: cfg, hot: newHotAgents(), parents: newParents(), wakeUps: make(chan struct{}, 1)}
	r.conn = newConnection(cfg, func() { r.janitor.wake() })
	r.writer = newWriter(cfg, r.conn)
	r.janitor = newJanitor(cfg, r.conn, r.writer)
	r.commander = newCommander(r)
	_, _ = r.conn.reopen(ctx) // a failure is told, and tried again
	return r
}

// Problem is why there is no store now, or nil.
func (r *Registry) Problem() error {
	_, err := r.conn.state()
	return err
}

// CaughtUp tells whether the deletions that other nodes took while this one was away cover its requests, and
// their blocks are removed here as far as that can be done.
func (r *Registry) CaughtUp() bool { return r.janitor.caughtUp.Load() }

// Hot is the number of agents that were used since they were evicted last.
func (r *Registry) Hot() int { return r.hot.len() }

// Note takes a use, at once. A use without an agent is nobody's.
func (r *Registry) Note(tenant, id string, use Use) {
	if id == "" {
		return
	}
	at := ref{tenant, id}
	r.writer.add(at, use)
	if use.Chain.Tokens > 0 {
		r.hot.touch(at)
	}
	select {
	case r.wakeUps <- struct{}{}:
	default:
	}
}

// Run writes what is noted, evicts the agents that are too many, deletes those that outlived their TTL, and
// removes the blocks of deleted ones, until ctx ends. What is noted by then is still written if the store
// takes it.
func (r *Registry) Run(ctx context.Context) error {
	sweep := time.NewTicker(r.cfg.Sweep)
	defer sweep.Stop()
	defer r.end() //nolint:contextcheck // the last records are written after ctx has ended
	var cleaning sync.WaitGroup
	defer cleaning.Wait()
	cleaning.Go(func() { r.janitor.run(ctx) })
	cleaning.Go(func() { (&collector{r.cfg, r.conn}).run(ctx) })
	cleaning.Go(func() { (&presence{r.cfg, r.conn, r.wakeForNews}).run(ctx) })
	cleaning.Go(func() { r.commander.run(ctx) })
	pause := r.cfg.Retry
	for ctx.Err() == nil {
		written := r.writer.writeAll(ctx)
		r.keepParents(ctx)
		r.evictSurplus(ctx)
		r.janitor.removeSuperseded(ctx)
		if !written {
			_ = waitFor(ctx, pause)
			pause = min(2*pause, maxPause)
			continue
		}
		pause = r.cfg.Retry
		select {
		case <-ctx.Done():
		case <-r.wakeUps:
		case <-r.writer.superseded.nextLook(r.cfg.Retry):
		case <-sweep.C:
			(&expiry{r.cfg, r.conn, r.writer, r.Delete}).run(ctx)
		}
	}
	return nil
}

// wakeForNews has those look in the store who do what other nodes leave there.
func (r *Registry) wakeForNews() {
	r.janitor.wake()
	r.commander.wake()
}

// end writes what is left and closes the store.
func (r *Registry) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r.writer.writeAll(ctx)
	r.conn.close()
	if left := len(r.writer.refs()); left > 0 {
		r.cfg.Log.Warn("records_not_written", "agents", left, "note", "their blocks are found by their prompts all the same")
	}
}

// evictSurplus evicts the agents from the pool that are more than MostHot.
func (r *Registry) evictSurplus(ctx context.Context) {
	for {
		at, is := r.hot.oldestBeyond(r.cfg.MostHot, r.cfg.Clock())
		if !is {
			return
		}
		if err := r.evictAgent(ctx, at); err != nil && !errors.Is(err, ErrNotFound) {
			r.cfg.Log.Debug("agent_not_evicted", "error", err)
			r.hot.putBack(at) // the next round tries again
			return
		}
	}
}

func (r *Registry) evictAgent(ctx context.Context, at ref) error {
	ctx, cancel := context.WithTimeout(ctx, evictTimeout)
	defer cancel()
	record, err := r.Get(ctx, at.tenant, at.id)
	if err != nil {
		return err
	}
	_, err = r.cfg.Memory.Evict(ctx, record.Chains(), "")
	return err
}

// Owns tells whether an agent needs the block, as far as that can be found out; else it says that one does.
func (r *Registry) Owns(ctx context.Context, block kv.Ref) bool {
	store, err := r.conn.ask(ctx)
	if err != nil || len(r.writer.needed([]kv.Key{block.Key})) > 0 {
		return true
	}
	orphans, err := store.Unowned(ctx, []kv.Ref{block})
	return err != nil || len(orphans) == 0
}

// LastUse tells when the agents that own the blocks were used last, zero for blocks of nobody.
func (r *Registry) LastUse(ctx context.Context, blocks []kv.Ref) ([]time.Time, error) {
	store, err := r.conn.ask(ctx)
	if err != nil {
		return nil, err
	}
	return store.LastUse(ctx, blocks)
}
