package agents

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Memory holds the agents' blocks.
type Memory interface {
	// Holdings tells what each tier has of the chains, the pool first.
	Holdings(chains []kv.Chain) []kv.Holding
	// Evict takes blocks out of the pool, once a lower tier has them.
	Evict(ctx context.Context, chains []kv.Chain) (kv.Moved, error)
	// Prefetch brings blocks into the pool and waits until they are there.
	Prefetch(ctx context.Context, tenant string, chains []kv.Chain) (kv.Moved, error)
	// Retain gives blocks up after others until the given time.
	Retain(chains []kv.Chain, until time.Time)
	// Delete removes blocks everywhere.
	Delete(ctx context.Context, entries []kv.Entry) (kv.Moved, error)
	// Warm computes a system prompt's KV for an agent and returns the number of its tokens.
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
	Secret  []byte        // of the cluster, proposed to the store
	Retry   time.Duration // first pause after a failure of the store: 1 s
	Sweep   time.Duration // between two looks for agents that outlived their TTL: 1 min
}

// mostPause is the longest pause between two attempts to reach the store.
const mostPause = 30 * time.Second

// Registry knows the agents of this node's store.
//
// A use is noted at once and written soon by Run. What is not written yet is part of every answer, so nobody sees an
// agent without the turn that has just ended.
type Registry struct {
	cfg    Settings
	wake   chan struct{} // a use was noted
	doomed chan struct{} // an agent was deleted
	saving sync.Mutex    // held while what is noted is written, before mu

	mu      sync.Mutex
	store   Store
	opening error         // why there is no store yet
	unsaved map[ref][]Use // oldest first
	hot     []ref         // used last at the end
	secret  []byte
	broken  bool // the store failed, and nobody has to be told again

	outgrown []outgrown // tails to be removed once what replaced them is durable
}

// ref names an agent.
type ref struct{ tenant, id string }

var errNoStore = errors.New("the database is not open yet")

// NewRegistry opens the store if it can be opened now. Run does the rest.
func NewRegistry(ctx context.Context, cfg Settings) *Registry {
	if cfg.Retry <= 0 {
		cfg.Retry = time.Second
	}
	if cfg.Sweep <= 0 {
		cfg.Sweep = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{cfg: cfg, wake: make(chan struct{}, 1), doomed: make(chan struct{}, 1), unsaved: map[ref][]Use{}, secret: cfg.Secret, opening: errNoStore}
	r.reopen(ctx)
	return r
}

// Secret is the cluster's: the stored one, or the proposed one while there is no store.
func (r *Registry) Secret() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.secret
}

// reopen opens the store, and writes the secret there if it has none.
func (r *Registry) reopen(ctx context.Context) {
	store, err := r.cfg.Open(ctx)
	var secret []byte
	if err == nil {
		if secret, err = store.Secret(ctx, r.cfg.Secret); err != nil {
			err = errors.Join(err, store.Close())
		}
	}
	if err != nil {
		r.mu.Lock()
		r.opening = err
		r.mu.Unlock()
		r.failed(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken && !slices.Equal(secret, r.secret) {
		r.cfg.Log.Warn("cluster_secret_differs", "note", "blocks made before the database could be opened are not found again after a restart")
	} else {
		r.secret = secret
	}
	r.store, r.opening = store, nil
	r.promised()
}

// failed tells of a store that can't be reached, once.
func (r *Registry) failed(err error) {
	r.mu.Lock()
	told := r.broken
	r.broken = true
	r.mu.Unlock()
	if !told {
		r.cfg.Log.Warn("database_unavailable", "error", err.Error(),
			"advice", "records stay in memory and are written later; check the file's volume, owner and mode")
	}
}

func (r *Registry) healed() {
	r.mu.Lock()
	was := r.broken
	r.broken = false
	r.mu.Unlock()
	if was {
		r.cfg.Log.Info("database_healed", "note", "records are written again")
	}
}

func (r *Registry) ask() (Store, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store, r.opening
}

// Note takes a use, at once. A use without an agent is nobody's.
func (r *Registry) Note(tenant, id string, use Use) {
	if id == "" {
		return
	}
	at := ref{tenant, id}
	r.mu.Lock()
	r.unsaved[at] = append(r.unsaved[at], use)
	if use.Chain.Tokens > 0 {
		r.touch(at)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// touch makes the agent the one used last. The caller holds mu.
func (r *Registry) touch(at ref) {
	r.hot = slices.DeleteFunc(r.hot, func(other ref) bool { return other == at })
	r.hot = append(r.hot, at)
}

// Run writes what is noted, evicts the agents that are too many, deletes those that outlived their TTL, and removes the
// blocks of deleted ones, until ctx ends. What is noted by then is still written if the store takes it.
func (r *Registry) Run(ctx context.Context) error {
	sweep := time.NewTicker(r.cfg.Sweep)
	defer sweep.Stop()
	defer r.end()
	var burying sync.WaitGroup
	defer burying.Wait()
	burying.Go(func() { r.bury(ctx) })
	pause := r.cfg.Retry
	for {
		var again <-chan time.Time
		if r.save(ctx) {
			pause = r.cfg.Retry
		} else {
			again = time.After(pause)
			pause = min(2*pause, mostPause)
		}
		r.cool(ctx)
		r.prune(ctx)
		if again != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-again:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-r.pruneAgain():
		case <-sweep.C:
			r.expire(ctx)
		}
	}
}

// end writes what is left and closes the store.
func (r *Registry) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r.save(ctx)
	r.mu.Lock()
	store, left := r.store, len(r.unsaved)
	r.store, r.opening = nil, errors.New("the server is ending")
	r.mu.Unlock()
	if left > 0 {
		r.cfg.Log.Warn("records_not_written", "agents", left, "note", "their blocks are found by their prompts all the same")
	}
	if store != nil {
		_ = store.Close()
	}
}

// save writes all that is noted, and reports false if the store failed.
func (r *Registry) save(ctx context.Context) bool {
	r.saving.Lock()
	defer r.saving.Unlock()
	store, err := r.ask()
	if err != nil {
		r.reopen(ctx)
		if store, err = r.ask(); err != nil {
			return false
		}
	}
	for {
		at, uses := r.someUnsaved()
		if uses == nil {
			return true
		}
		if err := r.write(ctx, store, at, uses); err != nil {
			r.failed(err)
			return false
		}
		r.saved(at, len(uses))
		r.healed()
	}
}

func (r *Registry) someUnsaved() (ref, []Use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, uses := range r.unsaved {
		return at, slices.Clone(uses)
	}
	return ref{}, nil
}

func (r *Registry) saved(at ref, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unsaved[at] = r.unsaved[at][min(n, len(r.unsaved[at])):]; len(r.unsaved[at]) == 0 {
		delete(r.unsaved, at)
	}
}

func (r *Registry) write(ctx context.Context, store Store, at ref, uses []Use) error {
	var replaced []outgrown
	_, err := r.change(ctx, store, at, true, func(record *Record) {
		replaced = nil
		for _, use := range uses {
			for _, tail := range record.Add(use) {
				replaced = append(replaced, outgrown{tail, use.Chain})
			}
		}
	})
	if err == nil {
		r.remember(replaced)
	}
	return err
}

// change changes a record by compare-and-set: who loses reads again. With make a missing record is made.
func (r *Registry) change(ctx context.Context, store Store, at ref, make bool, change func(*Record)) (Record, error) {
	for {
		record, err := store.Get(ctx, at.tenant, at.id)
		if errors.Is(err, ErrNotFound) && make {
			now := time.Now().UTC()
			record, err = Record{Tenant: at.tenant, ID: at.id, Created: now, Used: now}, nil
		}
		if err != nil {
			return record, err
		}
		change(&record)
		version, err := store.Put(ctx, record)
		if errors.Is(err, ErrConflict) {
			continue
		}
		record.Version = version
		return record, err
	}
}

// cool evicts agents from the pool that are too many.
func (r *Registry) cool(ctx context.Context) {
	for {
		r.mu.Lock()
		if r.cfg.MostHot <= 0 || len(r.hot) <= r.cfg.MostHot {
			r.mu.Unlock()
			return
		}
		at := r.hot[0]
		r.hot = r.hot[1:]
		r.mu.Unlock()
		if err := r.coolOne(ctx, at); err != nil && !errors.Is(err, ErrNotFound) {
			r.cfg.Log.Debug("agent_not_evicted", "error", err)
			r.mu.Lock()
			r.hot = slices.Insert(r.hot, 0, at) // the next round tries again
			r.mu.Unlock()
			return
		}
	}
}

// evictPatience is how long evicting an agent that is too many may hold up the writing of records.
const evictPatience = 5 * time.Second

func (r *Registry) coolOne(ctx context.Context, at ref) error {
	ctx, cancel := context.WithTimeout(ctx, evictPatience)
	defer cancel()
	record, err := r.Get(ctx, at.tenant, at.id)
	if err != nil {
		return err
	}
	_, err = r.cfg.Memory.Evict(ctx, record.Chains())
	return err
}

// Hot is the number of agents that were used since they were evicted last.
func (r *Registry) Hot() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.hot)
}

// cooled notes that an agent has left the pool.
func (r *Registry) cooled(at ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hot = slices.DeleteFunc(r.hot, func(other ref) bool { return other == at })
}

func (r *Registry) heated(at ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.touch(at)
}

// expire deletes agents that outlived their TTL.
func (r *Registry) expire(ctx context.Context) {
	store, err := r.ask()
	if err != nil {
		return
	}
	now := time.Now()
	f := Filter{Limit: 100, UsedBefore: now}
	for {
		page, next, err := store.List(ctx, f)
		if err != nil {
			r.failed(err)
			return
		}
		for _, record := range page {
			if r.expired(record, now) {
				if _, err := r.Delete(ctx, record.Tenant, record.ID); err != nil {
					r.cfg.Log.Warn("agent_not_expired", "error", err)
				}
			}
		}
		if next == (Cursor{}) {
			return
		}
		f.After = next
	}
}

func (r *Registry) expired(record Record, now time.Time) bool {
	ttl := record.TTL
	if ttl == 0 {
		ttl = r.cfg.TTL
	}
	return ttl > 0 && now.Sub(record.Used) > ttl && !record.RetainUntil.After(now)
}

// Get returns a record with what is not written of it yet. While the store is away, that is all.
func (r *Registry) Get(ctx context.Context, tenant, id string) (Record, error) {
	at := ref{tenant, id}
	r.mu.Lock()
	uses := slices.Clone(r.unsaved[at])
	r.mu.Unlock()
	store, err := r.ask()
	var record Record
	if err == nil {
		record, err = store.Get(ctx, tenant, id)
	}
	if err != nil && len(uses) == 0 {
		return record, err
	}
	if err != nil {
		record = Record{Tenant: tenant, ID: id, Created: uses[0].At}
	}
	for _, use := range uses {
		record.Add(use)
	}
	return record, nil
}

// List returns records, as far as they are written.
func (r *Registry) List(ctx context.Context, f Filter) ([]Record, Cursor, error) {
	store, err := r.ask()
	if err != nil {
		return nil, Cursor{}, err
	}
	r.save(ctx)
	return store.List(ctx, f)
}

// Create makes an agent, or changes the TTL of one that is there, and computes its system prompt if it has one.
func (r *Registry) Create(ctx context.Context, tenant, id, system string, ttl time.Duration) (record Record, created bool, err error) {
	store, err := r.ask()
	if err != nil {
		return record, false, err
	}
	at := ref{tenant, id}
	_, err = store.Get(ctx, tenant, id)
	created = errors.Is(err, ErrNotFound)
	if _, err = r.change(ctx, store, at, true, func(record *Record) { record.TTL = ttl }); err != nil {
		return record, false, err
	}
	if system != "" {
		if _, err := r.cfg.Memory.Warm(ctx, tenant, id, system); err != nil {
			return record, created, fmt.Errorf("compute the system prompt of agent %q: %w", id, err)
		}
	}
	record, err = r.Get(ctx, tenant, id)
	return record, created, err
}

// Retain has the agent's blocks given up after others until the given time.
func (r *Registry) Retain(ctx context.Context, tenant, id string, until time.Time) (Record, error) {
	store, err := r.ask()
	if err != nil {
		return Record{}, err
	}
	r.save(ctx)
	record, err := r.change(ctx, store, ref{tenant, id}, false, func(record *Record) { record.RetainUntil = until })
	if err == nil {
		r.cfg.Memory.Retain(record.Chains(), until)
	}
	return record, err
}

// Evict takes the agent out of the pool.
func (r *Registry) Evict(ctx context.Context, tenant, id string) (kv.Moved, error) {
	record, err := r.Get(ctx, tenant, id)
	if err != nil {
		return kv.Moved{}, err
	}
	moved, err := r.cfg.Memory.Evict(ctx, record.Chains())
	if err == nil {
		r.cooled(ref{tenant, id})
	}
	return moved, err
}

// Prefetch brings the agent into the pool.
func (r *Registry) Prefetch(ctx context.Context, tenant, id string) (kv.Moved, error) {
	record, err := r.Get(ctx, tenant, id)
	if err != nil {
		return kv.Moved{}, err
	}
	moved, err := r.cfg.Memory.Prefetch(ctx, tenant, record.Chains())
	if err == nil {
		r.heated(ref{tenant, id})
	}
	return moved, err
}
