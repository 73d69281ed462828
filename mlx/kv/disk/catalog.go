package disk

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// catalog is what the tier knows of its folder: the blocks that can be found, the paths that have an owner,
// and the ledger of bytes. They change together, so one lock guards them. It is never held during I/O, nor
// while the clock, the log or the listener is called; the meter, which calls nobody, is. The other parts of the
// tier take it for short.
type catalog struct {
	cfg     *Config
	counted chan struct{} // closed when the ledger is complete; stores are refused before

	mu      sync.Mutex
	index   meteredIndex
	claims  map[string]chan struct{} // paths that have an owner; the channel is closed when the owner is done
	ledger  ledger
	lastUse time.Time // the latest time given to a use: uses are strictly ordered
	recount bool      // a file was removed or moved while the folder was being counted
}

// record is what the catalog knows of a block besides its entry. The catalog's lock guards it.
type record struct {
	path     string
	physical int64
	used     time.Time // the last use of the block or of one that continues it
	pinned   time.Time // until then the block is evicted after others
	refs     int       // how many reads of it and writes of its children are under way
	touched  bool      // used is newer than the file's time
	payer    kv.Payer  // who had it stored; nil for what was in the folder already
}

type block = kv.Indexed[record]

func newCatalog(cfg *Config) *catalog {
	return &catalog{
		cfg:     cfg,
		counted: make(chan struct{}),
		index:   meteredIndex{kv.NewIndex[record](), cfg.Meter},
		claims:  map[string]chan struct{}{},
		ledger:  newLedger(),
	}
}

// count returns how many blocks can be found, and the bytes of all that is in the folder.
func (c *catalog) count() (blocks int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index.Len(), c.ledger.used
}

// find returns the blocks of the refs, nil for those that the index doesn't have.
func (c *catalog) find(refs []kv.Ref) []*block {
	c.mu.Lock()
	defer c.mu.Unlock()
	blocks := make([]*block, len(refs))
	for i, ref := range refs {
		blocks[i] = c.index.Get(ref.Space, ref.Key)
	}
	return blocks
}

// lookup returns what the index has of the refs.
func (c *catalog) lookup(refs []kv.Ref) []kv.Copy {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make([]kv.Copy, len(refs))
	for i, ref := range refs {
		if b := c.index.Get(ref.Space, ref.Key); b != nil {
			found[i] = kv.Copy{Bytes: b.Bytes, Used: b.Value.used}
		}
	}
	return found
}

// browse visits what continues a block.
func (c *catalog) browse(s kv.Space, parent kv.Key, visit func(kv.Branch)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	visit(c.index.Behind(s, parent))
}

// orphanBlock takes a block out of the index. Its file stays in the ledger as an orphan, which the caller,
// who owns the path, is about to delete or move.
func (c *catalog) orphanBlock(s kv.Space, k kv.Key) {
	now := c.cfg.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.index.Get(s, k)
	if b == nil {
		return
	}
	c.index.Remove(s, k)
	c.ledger.used -= b.Value.physical
	c.ledger.addOrphan(b.Value.path, orphan{physical: b.Value.physical, modTime: now, evictFirst: true})
}

// forgetOrphan takes an orphan that is gone out of the ledger, and returns its bytes. A count under way
// begins anew.
func (c *catalog) forgetOrphan(rel string) (bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bytes = c.ledger.orphans[rel].physical
	if !c.ledger.dropOrphan(rel) {
		c.disturbCount()
	}
	return bytes
}

// disturbCount makes a count that is under way begin anew: it may have seen a file that is gone or at another
// path now. The caller holds the lock.
func (c *catalog) disturbCount() {
	if !isClosed(c.counted) {
		c.recount = true
	}
}

func (c *catalog) has(s kv.Space, k kv.Key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index.Get(s, k) != nil
}

// blocks returns all blocks of the index.
func (c *catalog) blocks() (blocks []*block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index.All(func(b *block) bool { blocks = append(blocks, b); return true })
	return blocks
}

// isCurrent tells whether the index still has the block, and nobody is at work on it.
func (c *catalog) isCurrent(b *block) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index.Get(b.Space, b.Key) == b && c.claims[b.Value.path] == nil
}

// unclaimedFiles returns the ledger's orphans and damaged files that nobody is at work on.
func (c *catalog) unclaimedFiles() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := slices.AppendSeq(slices.Collect(maps.Keys(c.ledger.orphans)), maps.Keys(c.ledger.damaged))
	return slices.DeleteFunc(files, func(rel string) bool { return c.claims[rel] != nil })
}

// forgetBlock takes a block whose file is gone out of index and ledger, unless somebody is at work on it.
func (c *catalog) forgetBlock(b *block) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index.Get(b.Space, b.Key) != b || c.claims[b.Value.path] != nil {
		return false
	}
	c.index.Remove(b.Space, b.Key)
	c.ledger.used -= b.Value.physical
	return true
}

// enter makes a durable block visible and turns its reservation into usage.
func (c *catalog) enter(e kv.Entry, r record, room int64) {
	now := c.cfg.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	r.used, r.touched = c.nextUse(now), true
	c.ledger.dropOrphan(r.path)
	c.ledger.used += r.physical
	c.ledger.reserved -= room
	c.index.Add(e, r)
}
