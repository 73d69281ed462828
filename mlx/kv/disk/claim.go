package disk

import (
	"context"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// A claim makes one goroutine the owner of a path: for writing, deleting and moving what has that name.

// claim waits until the path has no owner and makes the caller its owner.
func (c *catalog) claim(ctx context.Context, rel string) error {
	for {
		owned := c.tryClaim(rel)
		if owned == nil {
			return nil
		}
		select {
		case <-owned:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryClaim returns the channel that the present owner will close, or nil if the caller is the owner now.
func (c *catalog) tryClaim(rel string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if owned := c.claims[rel]; owned != nil {
		return owned
	}
	c.claims[rel] = make(chan struct{})
	return nil
}

// unclaim ends the caller's ownership of a path.
func (c *catalog) unclaim(rel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.claims[rel])
	delete(c.claims, rel)
}

// acquire finds a block and keeps it from being evicted until release. It returns nil if the index has none.
func (c *catalog) acquire(s kv.Space, k kv.Key) *block {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.index.Get(s, k)
	if b != nil {
		b.Value.refs++
	}
	return b
}

// release undoes acquire; nil is none.
func (c *catalog) release(b *block) {
	if b == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b.Value.refs--
}

// isBusy tells whether a block must not be evicted now. The caller holds the lock.
func (c *catalog) isBusy(b *block) bool { return b.Value.refs > 0 || c.claims[b.Value.path] != nil }
