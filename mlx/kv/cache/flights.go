package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

const (
	stuckAfter  = 5 * time.Second // a tier that has been reading one block for so long is not asked for more
	mostFetches = 4096            // that wait
)

// Errors of a flight.
var (
	errClosed  = errors.New("the cache is closed")
	errDeleted = errors.New("the block was deleted meanwhile")
	errCrowded = errors.New("too many blocks are being fetched")
)

// Flight is a block on its way into the pool.
type Flight struct {
	Found
	tenant  *kv.Tenant
	payer   kv.Payer
	wanted  func() bool // nil: whatever happens
	done    chan struct{}
	err     error // once done
	urgent  atomic.Bool
	deleted bool       // meanwhile, everywhere; the cache's lock guards it, and wanted
	entry   kv.Entry   // as its header tells, once it was read
	others  pool.Tiers // that a look-up found the block in, and that were not found without it since
	arrival Arrival    // once done without an error, if it was read
}

// Arrival tells where a block came from, and when.
type Arrival struct {
	Tier         string // empty: it was in the pool already
	Bytes        int64
	Began, Ended time.Time
}

// Arrival tells where the block came from, if the flight is over and was not in vain.
func (f *Flight) Arrival() (a Arrival, arrived bool) {
	if over, err := f.Over(); !over || err != nil {
		return a, false
	}
	return f.arrival, true
}

// Hurry says that somebody waits for the block who has room for it.
func (f *Flight) Hurry() { f.urgent.Store(true) }

// Over tells whether the flight has ended, and how: without an error the block was in the pool then.
func (f *Flight) Over() (bool, error) {
	select {
	case <-f.done:
		return true, f.err
	default:
		return false, nil
	}
}

// Wait waits for the end of the flight or of ctx.
func (f *Flight) Wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// flights are the blocks on their way up. The cache's lock guards them.
type flights struct {
	cfg     *Config
	mu      *sync.Mutex
	changed *sync.Cond // with mu: the queue did
	landed  *sync.Cond // with mu: no flight is under way any more
	deletes deletions
	queue   []*Flight
	flying  map[place]*Flight      // queued or under way
	reading map[*Flight]inProgress // by the tier asked
	closed  bool
}

type inProgress struct {
	tier  int
	since time.Time
}

func newFlights(cfg *Config, mu *sync.Mutex, deletes deletions) *flights {
	return &flights{
		cfg: cfg, mu: mu, changed: sync.NewCond(mu), landed: sync.NewCond(mu), deletes: deletes,
		flying: map[place]*Flight{}, reading: map[*Flight]inProgress{},
	}
}

// begin queues a flight, or returns the one that the block is on already: that is wanted as long as either is.
func (s *flights) begin(f *Flight) *Flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := placeOf(f.Ref)
	if under := s.flying[at]; under != nil {
		if under.wanted != nil {
			mine, theirs := f.wanted, under.wanted
			under.wanted = func() bool { return theirs() || mine == nil || mine() }
		}
		return under
	}
	if s.closed || len(s.queue) >= mostFetches {
		f.err = errCrowded
		close(f.done)
		return f
	}
	f.deleted = s.deletes.has(at)
	s.flying[at] = f
	s.queue = append(s.queue, f)
	s.changed.Signal()
	return f
}

// next waits for a flight that is to begin, and returns nil once the flights are closed.
func (s *flights) next() *Flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closed {
		s.changed.Wait()
	}
	if s.closed {
		return nil
	}
	f := s.queue[0]
	s.queue = s.queue[1:]
	return f
}

func (s *flights) end(f *Flight) {
	s.mu.Lock()
	delete(s.flying, placeOf(f.Ref))
	if !s.areUnderWay() {
		s.landed.Broadcast()
	}
	s.mu.Unlock()
	close(f.done)
}

// areUnderWay tells whether blocks are queued or being fetched. The caller holds mu.
func (s *flights) areUnderWay() bool { return len(s.flying) > 0 }

// close ends the flights that have not begun. The caller holds mu.
func (s *flights) close() {
	s.closed = true
	for _, f := range s.queue {
		f.err = errClosed
		close(f.done)
	}
	s.queue = nil
	s.changed.Broadcast()
}

// isWanted tells whether anybody still wants the block of a flight.
func (s *flights) isWanted(f *Flight) bool {
	s.mu.Lock()
	wanted := f.wanted
	s.mu.Unlock()
	return wanted == nil || wanted()
}

// beginReading notes that a flight reads from a tier.
func (s *flights) beginReading(f *Flight, tier int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading[f] = inProgress{tier, s.cfg.Clock()}
}

func (s *flights) endReading(f *Flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reading, f)
}

// isStuck tells whether a tier has been reading one block for long.
func (s *flights) isStuck(tier int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.reading {
		if p.tier == tier && s.cfg.since(p.since) > stuckAfter {
			return true
		}
	}
	return false
}

// noteDeleted marks a block on its way up so that it is removed where it arrives. The caller holds mu.
func (s *flights) noteDeleted(at place) {
	if f := s.flying[at]; f != nil {
		f.deleted = true
	}
}

func (s *flights) isDeleted(f *Flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.deleted
}
