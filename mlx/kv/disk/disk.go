// Package disk keeps blocks in a folder of a local disk: the tier below the pool that survives a restart.
//
// The folder holds blocks under v1 by kv.Entry.Path, files being written under tmp, damaged ones under quarantine,
// and the file lock. It belongs to one process, and may be moved: nothing in it knows where it lies.
//
// Invariants:
//   - A block is in the index only after its file, its name, and the folders above it are durable.
//   - A file at a block's path is whole: it was written elsewhere, synced, and renamed.
//   - used + reserved never exceeds the budget by a write: used counts the physical bytes of all that lies in the
//     folder, reserved those that writes under way may add. Reserving comes before writing, and room that eviction
//     made counts only when the removal is durable.
//   - A path has one owner at a time (claim) for writing, removing, quarantining and evicting. What is claimed or
//     being read is not evicted, nor is the parent of what is being written.
//
// Lock order: a claim, then the turn to evict, then Tier.mu. Only Tier.mu is a lock; it is never held during I/O or
// while the listener, the clock or the log is called. Claims and the turn are waited for with the caller's context.
// An evictor claims without waiting, so it cannot deadlock with one who holds a claim and waits for the turn.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Reasons for which a block is given up.
const (
	ReasonBudget    = "budget"     // the folder's budget was used up
	ReasonTTL       = "ttl"        // it was not used for too long
	ReasonFreeSpace = "free_space" // the volume had less left than it must
	ReasonDeleted   = "deleted"    // somebody removed it
	ReasonDamaged   = "damaged"    // it was in quarantine, which is bounded
)

// Listener is told what happens. Any field may be nil. Calls come from any goroutine and must return soon.
type Listener struct {
	Evicted     func(reason string, bytes int64) // a file is gone for good
	Quarantined func(cause error, bytes int64)   // a damaged block was put away
	Swept       func(files int, bytes int64)     // what an earlier process left unfinished was deleted
	Degraded    func(err error)                  // the disk failed: no writes until Healed
	Healed      func()
}

// Config describes a disk tier. Zero durations take the defaults named.
type Config struct {
	FS      vfs.FS
	Dir     string        // made if it isn't there
	Budget  int64         // physical bytes that all in Dir may take, whoever put it there
	MinFree int64         // bytes that must stay free on the volume
	TTL     time.Duration // blocks unused for so long are given up; 0: never
	// Header reads a block file's header and checks it, as kv.ReadEntry does. A file that it returns kv.ErrVersion for
	// is left alone and given up first. Any other error of its own means that the file is damaged; errors of f
	// are told apart from that.
	Header   func(f io.ReaderAt, size int64) (kv.Entry, error)
	Clock    func() time.Time // time.Now
	Log      *slog.Logger     // none
	Listener Listener

	SlowWrite time.Duration // a store that takes longer is told in Status: 10 s
	Sweep     time.Duration // between two rounds of housekeeping: 1 min
	ProbeMin  time.Duration // to the first attempt to write again after a failure: 2 s
	ProbeMax  time.Duration // it doubles up to here: 1 min
}

// Tier is the disk tier. It implements kv.Tier.
type Tier struct {
	cfg     Config
	lock    io.Closer
	counted chan struct{} // closed when the folder's usage is known; stores are refused before
	indexed chan struct{} // closed when all blocks can be found
	turn    chan struct{} // holds one token: the right to evict
	ailing  chan struct{} // wakes Run when the tier degrades

	mu        sync.Mutex
	index     *kv.Index[record]
	claims    map[string]chan struct{} // paths with an owner; closed when it is done
	ledger    ledger
	health    health
	temps     int       // temp files named so far
	last      time.Time // the latest time given to a use: uses are strictly ordered
	disturbed bool      // a file was removed or moved while the folder was being counted
}

var (
	_ kv.Tier      = (*Tier)(nil)
	_ kv.Inspector = (*Tier)(nil)
)

// record is what the tier knows of a block besides its entry. Tier.mu guards it.
type record struct {
	path     string
	physical int64
	used     time.Time // the last use, its children's included
	keep     time.Time // to be given up last until then
	readers  int       // reads, and writes of children, under way
	touched  bool      // used is newer than the file's time
}

type block = kv.Indexed[record]

// Open takes the folder for this process. Blocks can be read at once; they are found and stored when Run, which
// the caller starts, has looked at what is there.
func Open(cfg Config) (*Tier, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	if err := vfs.MkdirAll(cfg.FS, cfg.Dir); err != nil {
		return nil, fmt.Errorf("open disk tier: make its folder: %w", err)
	}
	lock, err := cfg.FS.Lock(filepath.Join(cfg.Dir, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("open disk tier: %s is in use by another process; give each its own folder: %w", cfg.Dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	return newTier(cfg, lock), nil
}

func newTier(cfg Config, lock io.Closer) *Tier {
	t := &Tier{
		cfg:     cfg,
		lock:    lock,
		counted: make(chan struct{}),
		indexed: make(chan struct{}),
		turn:    make(chan struct{}, 1),
		ailing:  make(chan struct{}, 1),
		index:   kv.NewIndex[record](),
		claims:  map[string]chan struct{}{},
		ledger:  newLedger(),
		health:  health{writing: map[string]time.Time{}},
	}
	t.turn <- struct{}{}
	return t
}

// complete checks the configuration and fills in defaults.
func (c *Config) complete() error {
	if c.FS == nil || c.Dir == "" || c.Header == nil {
		return errors.New("a file system, a folder and a reader of headers are needed")
	}
	if c.Budget < minBudget {
		return fmt.Errorf("a budget of %d bytes is too small; give at least %d", c.Budget, minBudget)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.SlowWrite = orDefault(c.SlowWrite, 10*time.Second)
	c.Sweep = orDefault(c.Sweep, time.Minute)
	c.ProbeMin = orDefault(c.ProbeMin, 2*time.Second)
	c.ProbeMax = max(c.ProbeMin, orDefault(c.ProbeMax, time.Minute))
	return nil
}

func orDefault(given, otherwise time.Duration) time.Duration {
	if given > 0 {
		return given
	}
	return otherwise
}

// Close gives the folder back. Run must have returned and no call be under way.
func (t *Tier) Close() error {
	if err := t.lock.Close(); err != nil {
		return fmt.Errorf("close disk tier: %w", err)
	}
	return nil
}

// WaitIndexed waits until all blocks that were in the folder at the start can be found.
func (t *Tier) WaitIndexed(ctx context.Context) error {
	select {
	case <-t.indexed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status implements kv.Tier. A slow disk is told in Problem, and stays healthy: nothing is lost.
func (t *Tier) Status() kv.TierStatus {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	return kv.TierStatus{
		Name:     "disk",
		Healthy:  t.health.problem == "",
		Problem:  t.health.describe(now, t.cfg.SlowWrite),
		Indexing: !isClosed(t.indexed),
		Blocks:   t.index.Len(),
		Bytes:    t.ledger.used,
		Budget:   t.cfg.Budget,
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
