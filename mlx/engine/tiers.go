package engine

import (
	"context"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
)

// newCache puts the tiers below the pool.
func (e *Engine) newCache(model Model, pool *kv.Pool) *cache.Cache {
	spec := model.Spec()
	cfg := cache.Config{
		Pool: pool, Rows: rows{model}, Form: cache.Form{Bits: spec.Bits, Class: spec.Class, Layers: spec.Layers},
		Arrived: e.signal, Owned: e.cfg.Owned, Log: e.cfg.Logger, Listener: e.cfg.Moves,
	}
	if spec.Storable {
		cfg.Tiers = e.cfg.Tiers
	}
	if !spec.AnyThread {
		cfg.OnDevice = e.onDevice
	}
	return cache.New(cfg)
}

// rows lets the cache reach the model's blocks.
type rows struct{ model Model }

// Export implements cache.Rows.
func (r rows) Export(from kv.Memory, tokens int) (parts [][]byte, err error) {
	err = guarded(func() (err error) {
		parts, err = r.model.Export(from, tokens)
		return err
	})
	return parts, err
}

// Import implements cache.Rows.
func (r rows) Import(to kv.Memory, tokens int, parts [][]byte) error {
	return guarded(func() error { return r.model.Import(to, tokens, parts) })
}

// onDevice runs f on the thread that owns the device, between two steps, and waits. After the end of the loop f does
// not run.
func (e *Engine) onDevice(f func()) {
	done := make(chan struct{})
	select {
	case e.device <- func() { defer close(done); f() }:
		<-done
	case <-e.closed:
	}
}

// serve runs what others want from the device's thread now.
func (l *loop) serve() {
	for {
		select {
		case f := <-l.device:
			f()
		default:
			return
		}
	}
}

// flush stores what no tier has yet, and ends the cache. The device's thread goes on serving meanwhile.
func (l *loop) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.FlushFor)
	defer cancel()
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		defer close(done)
		if len(l.cache.Tiers()) > 0 {
			moved, err := l.cache.Flush(ctx)
			l.cfg.Logger.Info("pool_flushed", "blocks", moved.Blocks, "bytes", moved.Bytes)
			if err != nil {
				l.cfg.Logger.Warn("pool_flush_incomplete", "error", err)
			}
		}
		l.cache.Close()
	})
	for {
		select {
		case f := <-l.device:
			f()
		case <-done:
			work.Wait()
			return
		}
	}
}

// reclaimed tells of a block that was given up for another.
func (e *Engine) reclaimed(lost bool) {
	if e.cfg.Moves.Reclaims == nil {
		return
	}
	reason := "memory"
	if lost && len(e.cfg.Tiers) > 0 {
		reason = "memory_lost"
	}
	e.cfg.Moves.Reclaims(reason, 1)
}

// Cache is the memory of the loaded model, or ErrStarting.
func (e *Engine) Cache() (*cache.Cache, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cache == nil {
		return nil, ErrStarting
	}
	return e.cache, nil
}

// PoolStats are the pool's figures; zeros before the engine has started.
func (e *Engine) PoolStats() kv.Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pool == nil {
		return kv.Stats{}
	}
	return e.pool.Stats()
}
