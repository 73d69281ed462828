package pool

import (
	"fmt"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// state is what the parts of a pool share: which blocks there are, by which names they are found, and which
// are idle. mu guards it and the budget. The callers of its methods hold mu, but for free.
type state struct {
	cfg    *Config
	mu     sync.Mutex
	budget *budget
	all    map[*Block]struct{}
	index  *kv.Index[*Block]
	held   map[kv.SaltID]int // published blocks of each tenant
	idle   evictionQueues
	uses   uint64 // counts releases, for the order of use
}

func newState(cfg *Config) *state {
	s := &state{cfg: cfg, all: map[*Block]struct{}{}, held: map[kv.SaltID]int{}, index: kv.NewIndex[*Block]()}
	s.budget = &budget{cfg: cfg, mu: &s.mu}
	return s
}

// add makes a block of memory, with one reference.
func (s *state) add(memory Memory) *Block {
	block := &Block{memory: memory, refs: 1}
	s.all[block] = struct{}{}
	return block
}

// published is the block that can be found by a key, or nil.
func (s *state) published(in kv.Space, k kv.Key) *Block {
	if there := s.index.Get(in, k); there != nil {
		return there.Value
	}
	return nil
}

// acquire adds a reference to a published block.
func (s *state) acquire(b *Block) *Block {
	b.refs++
	b.fetched = false
	s.requeue(b)
	return b
}

// requeue puts a block where it belongs after something about it changed: into the queue of its priority if
// it is idle, into none if not.
func (s *state) requeue(b *Block) {
	s.idle.remove(b)
	if b.refs == 0 && b.published != nil {
		s.idle.add(b, s.cfg.Clock())
	}
}

// remove takes a block out of the pool. The caller frees it.
func (s *state) remove(b *Block) {
	delete(s.all, b)
	s.idle.remove(b)
	s.budget.moving += s.cfg.BlockBytes
}

// unpublish takes an idle block out of the index and the pool. The caller frees it.
func (s *state) unpublish(b *Block) {
	s.unlist(b)
	s.remove(b)
}

// list lets a block be found.
func (s *state) list(e kv.Entry, b *Block) {
	b.published, _ = s.index.Add(e, b)
	s.held[e.Salt]++
	s.cfg.Meter.Entered(b.payer, e.Space, s.cfg.BlockBytes)
}

// unlist lets a block be found no more.
func (s *state) unlist(b *Block) {
	e := b.published
	s.index.Remove(e.Space, e.Key)
	s.cfg.Meter.Left(b.payer, e.Space, s.cfg.BlockBytes)
	if s.held[e.Salt]--; s.held[e.Salt] == 0 {
		delete(s.held, e.Salt)
	}
}

// overShare tells of which blocks the tenants have more than their share, nil if that is so of none.
func (s *state) overShare() func(*Block) bool {
	if s.cfg.Share <= 0 || s.cfg.Share >= 1 {
		return nil
	}
	most := int(s.cfg.Share * float64(s.cfg.Budget/s.cfg.BlockBytes))
	for _, held := range s.held {
		if held > most {
			return func(b *Block) bool { return s.held[b.published.Salt] > most }
		}
	}
	return nil
}

// free gives back the memory of a block that was removed. The caller does not hold mu.
func (s *state) free(b *Block) {
	b.memory.Free()
	s.budget.unreserve()
}

// busy is the number of bytes of blocks that somebody uses or that are unsaved.
func (s *state) busy() int64 {
	idle := s.idle[fetchedFirst].Len() + s.idle[leastRecent].Len() + s.idle[pinned].Len()
	return int64(len(s.all)-idle) * s.cfg.BlockBytes
}

// unsaved is the number of bytes of idle blocks that are on their way to a first tier.
func (s *state) unsaved() int64 { return int64(s.idle[unsaved].Len()) * s.cfg.BlockBytes }

// mustHave panics for a block that is not in the pool: using freed memory is a bug that must not go on.
func (s *state) mustHave(b *Block) {
	if _, ok := s.all[b]; !ok {
		panic("kv pool: the block is not in this pool")
	}
}

// check verifies the invariants.
func (s *state) check() error {
	if err := s.budget.check(len(s.all)); err != nil {
		return err
	}
	for block := range s.all {
		if block.refs < 0 || block.refs == 0 && block.published == nil {
			return fmt.Errorf("kv pool: a block has %d references, published: %v", block.refs, block.published != nil)
		}
		if e := block.published; e != nil && s.index.Get(e.Space, e.Key) != e {
			return fmt.Errorf("kv pool: the published block %s can't be found", e.Key)
		}
	}
	listed := 0
	for _, held := range s.held {
		listed += held
	}
	if listed != s.index.Len() {
		return fmt.Errorf("kv pool: tenants have %d published blocks of %d", listed, s.index.Len())
	}
	if s.index.Len() > len(s.all) {
		return fmt.Errorf("kv pool: %d published blocks among %d", s.index.Len(), len(s.all))
	}
	return s.idle.check(s.all, s.cfg.Clock())
}
