package agents

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// A collection removes from the storage that nodes share what no agent owns and what nobody stored anew for
// the TTL. It asks the database who owns what, so a database that is not this storage's, or that was set
// back, must not empty it: a collection stops at a storage of another cluster, and where it would remove more
// than a tenth.

const (
	// mostCollected is the part of all blocks that a collection may remove: one in so many.
	mostCollected = 10
	// mostRemembered is how many blocks one collection removes; the rest is left to the next one.
	mostRemembered = 100_000
	// collection is the name of its removals in the store.
	collection = "collection"
)

// Why a collection did not begin, or removed nothing.
var (
	ErrTenth       = errors.New("more than a tenth of all blocks would go")
	ErrOtherLeads  = errors.New("another node collects now")
	ErrNoInventory = errors.New("there is no bucket to collect from, or nothing expires (SEMANTIC_AGENT_TTL)")
)

// Order is what an operator allows a collection.
type Order struct {
	Count    bool // look only, and remove nothing
	AnyShare bool // remove more than a tenth, too
}

// Collection is what a collection found and did.
type Collection struct {
	Blocks  int // that there are
	Orphans int // that nobody owns and that outlived the TTL
	Removed kv.Moved
}

// collector removes what nobody owns from the storage that nodes share.
type collector struct {
	cfg  Settings
	conn *connection
}

// run collects at every tick until ctx ends. Of several nodes one does it.
func (c *collector) run(ctx context.Context) {
	if c.cfg.Shared == nil || c.cfg.TTL <= 0 {
		return
	}
	tick := time.NewTicker(c.cfg.Collect)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := c.alone(ctx, Order{}); err != nil && !errors.Is(err, ErrOtherLeads) && ctx.Err() == nil {
			c.cfg.Log.Warn("collection_stopped", "error", err.Error(), "advice", adviseCollection(err))
		}
	}
}

func adviseCollection(err error) string {
	switch {
	case errors.Is(err, ErrTenth):
		return "was the database set back or emptied? Blocks are owned again as their agents are used; nothing is removed meanwhile. " +
			"If nobody needs them, `agent-memory pool collect --any-share` removes them"
	case errors.Is(err, ErrOtherSecret):
		return "give each cluster a bucket or a SEMANTIC_S3_PREFIX of its own; if this one follows on the other, remove the object named cluster"
	}
	return "it is tried again; nothing is lost meanwhile"
}

// alone collects unless another node does so now.
func (c *collector) alone(ctx context.Context, order Order) (done Collection, err error) {
	store, err := c.conn.ask(ctx)
	if err != nil {
		return done, err
	}
	shared, is := store.(Shared)
	if !is {
		return c.collect(ctx, store, order)
	}
	failure := ErrOtherLeads
	err = shared.Lead(ctx, func(ctx context.Context) { done, failure = c.collect(ctx, store, order) })
	return done, cmp.Or(err, failure)
}

func (c *collector) collect(ctx context.Context, store Store, order Order) (done Collection, err error) {
	if err := c.checkCluster(ctx); err != nil {
		return done, err
	}
	done, orphans, err := c.count(ctx, store)
	if err != nil || order.Count {
		return done, err
	}
	if done.Orphans > done.Blocks/mostCollected && !order.AnyShare {
		return done, fmt.Errorf("collect %d of %d blocks that no agent owns: %w", done.Orphans, done.Blocks, ErrTenth)
	}
	err = c.remove(ctx, store, orphans, &done.Removed)
	if done.Removed.Blocks > 0 {
		c.cfg.Log.Info("blocks_collected", "blocks", done.Removed.Blocks, "bytes", done.Removed.Bytes, "of", done.Blocks)
	}
	c.cfg.Collected(done)
	return done, err
}

// checkCluster fails if the storage belongs to a cluster with another secret. What belongs to none belongs to
// this one from now on.
func (c *collector) checkCluster(ctx context.Context) error {
	own := clusterID(c.conn.clusterSecret())
	id, err := c.cfg.Shared.Claim(ctx, own)
	if err != nil {
		return fmt.Errorf("ask which cluster the storage belongs to: %w", err)
	}
	if id != own {
		return fmt.Errorf("the storage belongs to cluster %.32q, this is %q: %w", id, own, ErrOtherSecret)
	}
	return nil
}

// clusterID names a cluster by its secret without telling it.
func clusterID(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("cluster id"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// count looks at all blocks, and returns those that may go.
func (c *collector) count(ctx context.Context, store Store) (found Collection, orphans []kv.Stored, err error) {
	old := c.cfg.Clock().Add(-c.cfg.TTL)
	err = c.cfg.Shared.Walk(ctx, func(page []kv.Stored) error {
		found.Blocks += len(page)
		page = slices.DeleteFunc(page, func(b kv.Stored) bool { return !b.At.Before(old) })
		lastUse, err := store.LastUse(ctx, refsOf(page))
		if err != nil {
			return fmt.Errorf("ask who owns %d blocks: %w", len(page), err)
		}
		for i, block := range page {
			if !lastUse[i].IsZero() {
				continue
			}
			if found.Orphans++; len(orphans) < mostRemembered {
				orphans = append(orphans, block)
			}
		}
		return nil
	})
	return found, orphans, err
}

// remove removes blocks that still nobody owns.
func (c *collector) remove(ctx context.Context, store Store, orphans []kv.Stored, removed *kv.Moved) (err error) {
	for some := range slices.Chunk(orphans, removalBatch) {
		sizes := map[kv.Key]int64{}
		for _, block := range some {
			sizes[block.Key] = block.Bytes
		}
		err = errors.Join(err, store.DeleteUnowned(ctx, collection, refsOf(some), func(ctx context.Context, refs []kv.Ref) error {
			for _, ref := range refs {
				if err := c.cfg.Shared.Delete(ctx, ref); err != nil {
					return fmt.Errorf("remove block %s: %w", ref.Key, err)
				}
				removed.Add(sizes[ref.Key])
			}
			return nil
		}))
	}
	return err
}

func refsOf(blocks []kv.Stored) []kv.Ref {
	refs := make([]kv.Ref, len(blocks))
	for i, block := range blocks {
		refs[i] = block.Ref
	}
	return refs
}
