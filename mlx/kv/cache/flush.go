package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Flush stores in every tier what it does not have, and returns what became durable somewhere. The error tells
// what is left that no tier has.
func (b *writeback) Flush(ctx context.Context) (moved kv.Moved, err error) {
	if len(b.writers) == 0 {
		idle := len(b.cfg.Pool.Dirty(0, false))
		return moved, fmt.Errorf("flush the pool: there is no tier below it, %d blocks stay where they are", idle)
	}
	wanted := map[place]kv.Entry{}
	for _, w := range b.writers {
		for _, e := range w.entries() {
			wanted[placeOf(e.Ref)] = e
		}
		for _, e := range w.dirty() {
			wanted[placeOf(e.Ref)] = e
			w.enqueue(e)
		}
		w.payOwed(mostOwed)
	}
	return b.flushed(ctx, wanted, b.await(ctx, b.isWriting))
}

// isWriting tells whether anything is on its way to any tier. The caller holds mu.
func (b *writeback) isWriting() bool {
	for _, w := range b.writers {
		if w.isWriting() && !w.closed {
			return true
		}
	}
	return false
}

// isWritingAny tells whether one of the blocks is on its way to the tier of that name (empty: any). The caller
// holds mu.
func (b *writeback) isWritingAny(refs []kv.Ref, to string) bool {
	for _, w := range b.to(to) {
		for _, ref := range refs {
			if !w.closed && w.jobs[placeOf(ref)] != nil {
				return true
			}
		}
	}
	return false
}

// await waits until what it waits for, which is asked with mu held, is no longer so.
func (b *writeback) await(ctx context.Context, isSo func() bool) error {
	defer context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.changed.Broadcast()
	})()
	b.mu.Lock()
	defer b.mu.Unlock()
	for isSo() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.changed.Wait()
	}
	return nil
}

// flushed counts which of the blocks are durable now.
func (b *writeback) flushed(ctx context.Context, wanted map[place]kv.Entry, err error) (moved kv.Moved, _ error) {
	left := 0
	for _, e := range wanted {
		switch bytes, there := b.catalog.inTier(context.WithoutCancel(ctx), e.Ref, ""); {
		case there:
			moved.Add(bytes)
		case b.cfg.Pool.Has(e.Space, e.Key):
			left++
		}
	}
	if left > 0 {
		return moved, errors.Join(fmt.Errorf("flush the pool: %d of %d blocks are not durable; look at the tiers' states", left, len(wanted)), err)
	}
	return moved, nil
}

// secure writes what of the blocks the tier of that name (empty: any) doesn't have, and waits for it.
func (b *writeback) secure(ctx context.Context, refs []kv.Ref, to string) error {
	for _, ref := range refs {
		block := b.cfg.Pool.Acquire(ref.Space, ref.Key)
		if block == nil {
			continue
		}
		e, isPublished := b.cfg.Pool.Entry(block)
		b.cfg.OnDevice(func() { b.cfg.Pool.ReleaseUnused(block) })
		if _, there := b.catalog.inTier(ctx, ref, to); !there && isPublished {
			b.storeAgain(e, to)
		}
	}
	return b.await(ctx, func() bool { return b.isWritingAny(refs, to) })
}
