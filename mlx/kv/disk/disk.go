// Package disk keeps blocks in a folder of a local disk: the tier below the pool that survives a restart.
//
// The folder holds blocks under v1 by kv.Ref.Path, files being written under tmp, damaged ones under
// quarantine, and the file lock. It belongs to one process, and may be moved: nothing in it names its place.
//
// Tier is a facade. Behind it, the catalog knows what is in the folder: an index of blocks, the claims on
// paths, and a ledger of bytes. The other parts do I/O and take the catalog's lock in between: ownership,
// folders, reader, writer, evictor, remover and quarantine for the calls; counter, indexer, reconciler,
// recency, expirer and prober for Run.
//
// Invariants:
//
//   - A block is in the index only after its file, its name, and the folders above it are durable.
//
//   - A file at a block's path is whole: it was written elsewhere, synced, and renamed.
//
//   - used + reserved never exceeds the budget by a write: used counts the physical bytes of all that lies in
//     the folder, reserved those that writes under way may add (ledger). Reserving comes before writing, and
//     room that eviction made counts only when the removal is durable.
//
//   - A path has one owner at a time (catalog.claim) for writing, removing, quarantining and evicting. What
//     is claimed or being read is not evicted, nor is the parent of what is being written.
//
//   - What lies in the folder may vanish or change at any moment. The index forgets it when a call meets
//     that, and in each round of housekeeping; folders and the lock are made again, without a restart
//     (folders, ownership, reconciler). Only regular files of the size that was stored are blocks.
//
//   - Nothing is written or removed unless the lock's name leads to the file that this process has locked
//     (ownership).
//
// Lock order: a claim, then the eviction lock, then one of ownership.mu, catalog.mu and health.mu: nobody who
// holds one of these three takes another one. catalog.mu and health.mu are never held during I/O or while
// the listener, the clock or the log is called; the meter is, which calls nobody. Claims and the eviction lock are waited for with the caller's
// context. An evictor claims without waiting, so it cannot deadlock with a caller that holds a claim and
// waits for the eviction lock.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Reasons for which a file is evicted.
const (
	ReasonBudget    = "budget"     // the folder's budget was used up
	ReasonTTL       = "ttl"        // it was not used for too long
	ReasonFreeSpace = "free_space" // the volume had less left than it must
	ReasonDeleted   = "deleted"    // somebody removed it
	ReasonDamaged   = "damaged"    // it was in quarantine, which is bounded
)

// Listener hears what happens. Any field may be nil. Calls come from any goroutine and must return soon.
type Listener struct {
	Evicted     func(reason string, bytes int64) // a file is gone for good
	Quarantined func(cause error, bytes int64)   // a damaged block was moved into quarantine
	Swept       func(files int, bytes int64)     // what an earlier process left unfinished was deleted
	Degraded    func(err error)                  // the disk failed: no writes until Healed
	Healed      func()
	Vanished    func(kv.Ref) // somebody else removed a block's file
}

// Config describes a disk tier. Zero durations take the defaults named.
type Config struct {
	FS      vfs.FS
	Dir     string        // made if it isn't there
	Budget  int64         // physical bytes that all in Dir may take, whoever put it there
	Share   float64       // of the budget that a tenant keeps when room is needed; 0 and 1 are no bound
	MinFree int64         // bytes that must stay free on the volume
	TTL     time.Duration // blocks unused for so long are evicted; 0: never
	// Header reads a block file's header and checks it, as blockfile.ReadEntry does. For kv.ErrVersion the
	// file is left alone and evicted first. Any other error of Header means that the file is damaged, unless
	// reading f failed.
	Header func(f io.ReaderAt, size int64) (kv.Entry, error)
	// LastUse tells when the owners of blocks used them last, zero for those of nobody. It may be nil: there
	// are none.
	LastUse  func(ctx context.Context, blocks []kv.Ref) ([]time.Time, error)
	Clock    func() time.Time // time.Now
	Log      *slog.Logger     // none
	Listener Listener
	Meter    kv.Meter // told which blocks come into the index and leave it; nil: nobody is

	SlowWrite time.Duration // a store that takes longer shows in Status: 10 s
	Sweep     time.Duration // between two rounds of housekeeping: 1 min
	ProbeMin  time.Duration // to the first attempt to write again after a failure: 2 s
	ProbeMax  time.Duration // it doubles up to here: 1 min
}

// Tier is the disk tier. It implements kv.Tier over parts of one subject each, whose files have their names.
type Tier struct {
	cfg     Config
	indexed chan struct{} // closed when all blocks can be found

	alarm      *alarm
	health     *health
	ownership  *ownership
	catalog    *catalog
	recency    *recency
	folders    *folders
	remover    *remover
	quarantine *quarantine
	evictor    *evictor
	expirer    *expirer
	reader     *reader
	writer     *writer
	counter    *counter
	indexer    *indexer
	reconciler *reconciler
	prober     *prober
}

var (
	_ kv.Tier        = (*Tier)(nil)
	_ kv.Quarantiner = (*Tier)(nil)
)

// Open takes the folder for this process. Blocks can be read at once; they are found and stored when Run,
// which the caller starts, has looked at what is there.
func Open(cfg Config) (*Tier, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	lock, err := takeFolder(&cfg)
	if err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	return newTier(cfg, lock), nil
}

func newTier(cfg Config, lock vfs.Lock) *Tier {
	t := &Tier{cfg: cfg, indexed: make(chan struct{}), alarm: newAlarm()}
	t.health = newHealth(&t.cfg, t.alarm)
	t.ownership = &ownership{cfg: &t.cfg, alarm: t.alarm, health: t.health, lock: lock}
	t.catalog = newCatalog(&t.cfg)
	t.recency = &recency{cfg: &t.cfg, catalog: t.catalog}
	t.reader = &reader{cfg: &t.cfg}
	t.connectStorage()
	t.connectHousekeeping()
	return t
}

// connectStorage makes the parts that move, delete and write files.
func (t *Tier) connectStorage() {
	t.folders = &folders{cfg: &t.cfg, catalog: t.catalog, alarm: t.alarm}
	t.remover = &remover{cfg: &t.cfg, catalog: t.catalog, folders: t.folders, health: t.health}
	t.quarantine = &quarantine{
		cfg: &t.cfg, catalog: t.catalog, ownership: t.ownership, folders: t.folders, remover: t.remover, health: t.health,
	}
	t.folders.displace = t.quarantine.displace
	t.evictor = newEvictor(&t.cfg, t.catalog, t.folders, t.remover, t.health)
	t.writer = &writer{
		cfg: &t.cfg, catalog: t.catalog, recency: t.recency, folders: t.folders, quarantine: t.quarantine,
		evictor: t.evictor, health: t.health,
	}
}

// connectHousekeeping makes the parts that Run works with.
func (t *Tier) connectHousekeeping() {
	t.expirer = &expirer{cfg: &t.cfg, catalog: t.catalog, recency: t.recency, evictor: t.evictor, remover: t.remover}
	t.counter = &counter{cfg: &t.cfg, catalog: t.catalog, folders: t.folders}
	t.indexer = &indexer{
		cfg: &t.cfg, catalog: t.catalog, folders: t.folders, reader: t.reader, quarantine: t.quarantine, health: t.health,
	}
	t.reconciler = &reconciler{
		cfg: &t.cfg, catalog: t.catalog, alarm: t.alarm, folders: t.folders, quarantine: t.quarantine, indexer: t.indexer,
		health: t.health,
	}
	t.prober = &prober{
		cfg: &t.cfg, health: t.health, ownership: t.ownership, folders: t.folders, evictor: t.evictor, writer: t.writer,
	}
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
	if c.Meter == nil {
		c.Meter = kv.NoMeter{}
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
	if err := t.ownership.close(); err != nil {
		return fmt.Errorf("close disk tier: %w", err)
	}
	return nil
}

// tierName is that of this kind of tier in metrics and answers.
const tierName = "disk"

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
