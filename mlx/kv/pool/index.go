package pool

import (
	"github.com/agent-memory/agent-memory/mlx/kv"
)

// prefixIndex publishes blocks, and finds those that are published by their names or their tokens.
type prefixIndex struct {
	*state
	blocks *blocks
}

// Publish names a full block or a tail that its caller has finished writing. From then on it must not be written, and
// Acquire finds it by its key. If an equal block is there already, that one is returned with one more reference, and
// the caller's is released. Idle tails that the block extends are freed: they say nothing that it does not.
func (x *prefixIndex) Publish(b *Block, e kv.Entry) *Block {
	same, superseded := x.enter(b, e)
	for _, tail := range superseded {
		x.free(tail)
	}
	if same != b {
		x.blocks.Release(b)
	}
	return same
}

// enter puts a block into the index unless an equal one is there, and takes out the idle tails that it extends.
func (x *prefixIndex) enter(b *Block, e kv.Entry) (same *Block, superseded []*Block) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mustHave(b)
	if b.published != nil {
		panic("kv pool: the block is published already")
	}
	if there := x.published(e.Space, e.Key); there != nil {
		return x.acquire(there), nil
	}
	for _, shorter := range x.index.Beginning(e) {
		if tail := x.published(shorter.Space, shorter.Key); tail.refs == 0 {
			superseded = append(superseded, tail)
		}
	}
	for _, tail := range superseded {
		x.unpublish(tail)
	}
	x.list(e, b)
	return b, superseded
}

// Acquire returns the published block of a key with one more reference, or nil.
func (x *prefixIndex) Acquire(s kv.Space, k kv.Key) *Block {
	x.mu.Lock()
	defer x.mu.Unlock()
	there := x.published(s, k)
	if there == nil {
		return nil
	}
	return x.acquire(there)
}

// Nearest returns the published block behind parent that begins with the most of the given tags, with one more
// reference, and how many those are. Without any it returns nil.
func (x *prefixIndex) Nearest(s kv.Space, parent kv.Key, tags []kv.Tag) (nearest *Block, tokens int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	branch, n := x.index.Behind(s, parent).Along(tags)
	e, ok := branch.Entry(n)
	if n = min(n, e.Tokens); !ok || n == 0 {
		return nil, 0
	}
	return x.acquire(x.published(s, e.Key)), n
}

// Browse implements kv.Browser for the published blocks.
func (x *prefixIndex) Browse(s kv.Space, parent kv.Key, visit func(kv.Branch)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	visit(x.index.Behind(s, parent))
}

// Lookup answers as kv.Tier.Lookup does. A block counts with what it takes in the pool.
func (x *prefixIndex) Lookup(refs []kv.Ref) []kv.Copy {
	x.mu.Lock()
	defer x.mu.Unlock()
	found := make([]kv.Copy, len(refs))
	for i, ref := range refs {
		if there := x.index.Get(ref.Space, ref.Key); there != nil {
			found[i] = kv.Copy{Bytes: x.cfg.BlockBytes, Used: there.Value.usedAt}
		}
	}
	return found
}

// Has tells whether the block can be found.
func (x *prefixIndex) Has(s kv.Space, k kv.Key) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.published(s, k) != nil
}

// Entry tells by what a published block is found, and false if it has been removed meanwhile.
func (x *prefixIndex) Entry(b *Block) (e kv.Entry, isPublished bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mustHave(b)
	if b.published == nil {
		return e, false
	}
	return b.published.Entry, true
}

// Remove makes a published block impossible to find, used or not; its memory is freed with its last reference. It
// reports whether there was such a block.
func (x *prefixIndex) Remove(s kv.Space, k kv.Key) bool {
	x.mu.Lock()
	b := x.published(s, k)
	if b == nil {
		x.mu.Unlock()
		return false
	}
	isIdle := b.refs == 0
	if isIdle {
		x.unpublish(b)
	} else {
		x.unlist(b)
		b.published, b.copies = nil, copies{}
	}
	x.mu.Unlock()
	if isIdle {
		x.free(b)
	}
	return true
}

// RemoveSalt makes all published blocks under a salt impossible to find, as Remove does.
func (x *prefixIndex) RemoveSalt(salt kv.SaltID) {
	for _, ref := range x.ofSalt(salt) {
		x.Remove(ref.Space, ref.Key)
	}
}

func (x *prefixIndex) ofSalt(salt kv.SaltID) (refs []kv.Ref) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.index.All(func(b *kv.Indexed[*Block]) bool {
		if b.Salt == salt {
			refs = append(refs, b.Ref)
		}
		return true
	})
	return refs
}
