package disk

import (
	"context"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// evictor reserves room for stores, and evicts blocks for it. One goroutine evicts at a time.
type evictor struct {
	cfg     *Config
	catalog *catalog
	folders *folders
	remover *remover
	health  *health
	lock    chan struct{} // the eviction lock: holds one token while nobody evicts, and can be waited for with a context
}

func newEvictor(cfg *Config, c *catalog, f *folders, r *remover, h *health) *evictor {
	e := &evictor{cfg: cfg, catalog: c, folders: f, remover: r, health: h, lock: make(chan struct{}, 1)}
	e.lock <- struct{}{}
	return e
}

// makeRoom evicts until there is room, and evicts nothing if that can't be unless partly is set. The caller
// has the eviction lock.
func (e *evictor) makeRoom(room int64, partly bool) error {
	free, err := e.free()
	if err != nil {
		return err
	}
	e.catalog.mu.Lock()
	short := e.shortage(room, free)
	var victims []victim
	if short.least > 0 {
		victims = e.choose(short, partly)
	}
	e.catalog.mu.Unlock()
	if short.least > 0 && len(victims) == 0 && !partly {
		return fmt.Errorf("%w: %d bytes are lacking by %s, and what lies there is in use or not the tier's to delete",
			kv.ErrRefused, short.least, short.reason)
	}
	return e.remover.erase(victims, short.reason)
}

// trim evicts as far as budget and floor demand for more room, even if that is not enough.
func (e *evictor) trim(ctx context.Context, room int64) error {
	return e.exclusively(ctx, func() error { return e.makeRoom(room, true) })
}

// exclusively runs evict under the eviction lock.
func (e *evictor) exclusively(ctx context.Context, evict func() error) error {
	select {
	case <-e.lock:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { e.lock <- struct{}{} }()
	return evict()
}
