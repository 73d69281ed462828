// Package object keeps blocks in a bucket that all nodes share: the lowest tier, which survives the loss of a node.
//
// A block is one object, and its name follows from its parent's key and its own, so that one listing finds all blocks
// that continue a parent. Objects are never changed: a name says what its content is. The only exception is one that was
// found damaged twice and that a verified copy replaces.
//
// Invariants:
//
//   - A block is known to be there only after its PUT was acknowledged, or after it was read.
//   - What is remembered is a hint that expires. A block that is remembered and gone is a miss when it is read.
//   - Nothing is removed because it could not be read: what one node can't read another may.
//   - Every request has a deadline of its own.
//
// Lock order: Tier.mu is never held while the bucket is asked.
package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/platform/objectstore"
)

// tierName is that of this kind of tier in metrics and answers.
const tierName = "object"

// Bucket is what the tier needs of object storage, as objectstore.Bucket does it.
type Bucket interface {
	// Put stores an object unless there is one, and tells whether it did.
	Put(ctx context.Context, key string, data []byte) (stored bool, err error)
	// Replace stores an object in place of the one that is there.
	Replace(ctx context.Context, key string, data []byte) error
	// Get returns an object, in buf if that is large enough.
	Get(ctx context.Context, key string, buf []byte) ([]byte, error)
	// GetStart returns the first bytes of an object, and its size.
	GetStart(ctx context.Context, key string, most int) (start []byte, size int64, err error)
	// List returns the first objects below a prefix whose keys come behind another one, in the order of their keys, at most so
	// many.
	List(ctx context.Context, prefix, after string, most int) ([]objectstore.Object, error)
	// Delete removes an object; one that isn't there is no error.
	Delete(ctx context.Context, key string) error
}

// Config describes the tier. Zero values take the defaults named.
type Config struct {
	Bucket   Bucket
	Meter    kv.Meter         // told of the blocks that this node stores, while they are there; nil: nobody is
	Clock    func() time.Time // time.Now
	Remember int              // blocks that are known at most, 5 KB each: 16,384
	Expiry   time.Duration    // of what is known to be there: 10 min
	Absence  time.Duration    // of what is known to be missing: 2 s
	Parallel int              // requests of one look-up at once: 32

	LookDeadline  time.Duration // of one small request: 2 s
	ReadDeadline  time.Duration // of reading one block: 15 s
	StoreDeadline time.Duration // of storing one block: 30 s
}

// Tier is the object tier.
type Tier struct {
	cfg Config

	mu     sync.Mutex
	memory memory
	stored *storedBlocks
}

var (
	_ kv.Tier        = (*Tier)(nil)
	_ kv.Distant     = (*Tier)(nil)
	_ kv.Browser     = (*Tier)(nil)
	_ kv.Comparer    = (*Tier)(nil)
	_ kv.Quarantiner = (*Tier)(nil)
)

// New returns a tier over a bucket. It asks nobody.
func New(cfg Config) *Tier {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Remember == 0 {
		cfg.Remember = 16_384
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 32
	}
	cfg.Expiry = orDefault(cfg.Expiry, 10*time.Minute)
	cfg.Absence = orDefault(cfg.Absence, 2*time.Second)
	cfg.LookDeadline = orDefault(cfg.LookDeadline, 2*time.Second)
	cfg.ReadDeadline = orDefault(cfg.ReadDeadline, 15*time.Second)
	cfg.StoreDeadline = orDefault(cfg.StoreDeadline, 30*time.Second)
	return &Tier{cfg: cfg, memory: newMemory(cfg), stored: newStoredBlocks(cfg.Meter)}
}

func orDefault(given, otherwise time.Duration) time.Duration {
	if given > 0 {
		return given
	}
	return otherwise
}

// Name implements kv.Tier.
func (t *Tier) Name() string { return tierName }

// Status implements kv.Tier. What lies in the bucket is not counted, and how it is with the bucket knows who watches the
// calls (tier.Breaker).
func (t *Tier) Status() kv.TierStatus { return kv.TierStatus{Name: tierName, Healthy: true} }

// Get implements kv.Tier.
func (t *Tier) Get(ctx context.Context, ref kv.Ref, buf []byte) ([]byte, error) {
	if t.isSuspect(ref) {
		return nil, kv.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.ReadDeadline)
	defer cancel()
	data, err := t.cfg.Bucket.Get(ctx, pathOf(ref), buf)
	if err != nil {
		return nil, t.fault(ref, err)
	}
	if e, err := blockfile.ReadEntry(bytes.NewReader(data), int64(len(data))); err == nil && e.Key == ref.Key {
		t.remember(e)
	}
	return data, nil
}

// Put implements kv.Tier. What is there already is trusted, unless it was found damaged before.
func (t *Tier) Put(ctx context.Context, e kv.Entry, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.StoreDeadline)
	defer cancel()
	isStored, err := t.cfg.Bucket.Put(ctx, pathOf(e.Ref), data)
	if err == nil && !isStored && t.isSuspect(e.Ref) {
		err = t.replaceDamaged(ctx, e, data)
	}
	if err != nil {
		return t.fault(e.Ref, err)
	}
	if header, err := blockfile.ReadEntry(bytes.NewReader(data), int64(len(data))); err == nil {
		e = header // whoever copies from tier to tier knows the name only
	}
	e.Bytes = int64(len(data))
	t.trust(e)
	if isStored {
		t.with(func(time.Time) { t.stored.add(e.Ref, kv.PayerOf(ctx), e.Bytes) })
	}
	return nil
}

// replaceDamaged puts a verified copy in the place of an object that was found damaged, if it still is.
func (t *Tier) replaceDamaged(ctx context.Context, e kv.Entry, data []byte) error {
	there, err := t.cfg.Bucket.Get(ctx, pathOf(e.Ref), nil)
	if err == nil && blockfile.Intact(e.Ref, there) {
		return nil
	}
	if err != nil && !errors.Is(err, objectstore.ErrNotFound) {
		return err
	}
	return t.cfg.Bucket.Replace(ctx, pathOf(e.Ref), data)
}

// Delete implements kv.Tier.
func (t *Tier) Delete(ctx context.Context, ref kv.Ref) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.LookDeadline)
	defer cancel()
	err := t.cfg.Bucket.Delete(ctx, pathOf(ref))
	if err == nil {
		t.forget(ref)
	}
	return t.fault(ref, err)
}

// Quarantine implements kv.Quarantiner. The object stays where it is, since the fault may be on the way or with this
// node; it is not found again here for a while, and a good copy replaces it if it is damaged indeed.
func (t *Tier) Quarantine(_ context.Context, ref kv.Ref, _ error) error {
	t.suspect(ref)
	return nil
}

// Quarantined implements kv.Quarantiner.
func (t *Tier) Quarantined(ref kv.Ref) bool { return t.isSuspect(ref) }

// fault is the error in the terms of tiers. A block that is missing is remembered as such.
func (t *Tier) fault(ref kv.Ref, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, objectstore.ErrNotFound):
		t.forget(ref)
		return kv.ErrNotFound
	case errors.Is(err, objectstore.ErrRefused):
		return fmt.Errorf("%w: %w", kv.ErrRefused, err)
	case errors.Is(err, objectstore.ErrThrottled):
		return fmt.Errorf("%w: %w", kv.ErrThrottled, err)
	case errors.Is(err, objectstore.ErrTimeout):
		return fmt.Errorf("%w: %w", kv.ErrTimeout, err)
	}
	return err
}
