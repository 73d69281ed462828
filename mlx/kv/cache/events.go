package cache

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
)

// Listener is told what happens. Any field may be nil. Calls come from any goroutine and must return soon.
type Listener struct {
	Looked   func(tier string, hits, misses int) // expected full blocks, of one look-up
	Fetched  func(Transfer)                      // a block was read, verified and put into the pool
	Stored   func(Transfer)                      // a block became durable
	Dropped  func(reason string)                 // a block was not stored
	Damaged  func(tier string, cause error)      // a block failed its verification
	Failed   func(tier, doing string, err error) // a tier could not be asked
	Reclaims func(reason string, blocks int)     // blocks left the pool on request
}

// Transfer is a block that was moved between the pool and a tier.
type Transfer struct {
	Tier  string
	Space kv.Space // of the block
	Payer kv.Payer // for whom; nil: nobody in particular
	Bytes int64
	Took  time.Duration
}

// events tell the log and the listener what the parts of a cache do.
type events struct{ cfg *Config }

// failed tells of a tier that could not be asked. A block that isn't there and a store that is refused are no such
// failures, nor are a full pool and the end of the caller's patience.
func (e *events) failed(tier kv.Tier, doing string, err error) {
	if err == nil || errors.Is(err, kv.ErrNotFound) || errors.Is(err, kv.ErrRefused) ||
		errors.Is(err, pool.ErrFull) || errors.Is(err, context.Canceled) {
		return
	}
	name := tier.Name()
	e.cfg.Log.Debug("tier_failed", "tier", name, "doing", doing, "error", err)
	if e.cfg.Listener.Failed != nil {
		e.cfg.Listener.Failed(name, doing, err)
	}
}

// damaged tells of a block that is not what it should be.
func (e *events) damaged(tier kv.Tier, ref kv.Ref, cause error) {
	name := tier.Name()
	e.cfg.Log.Warn("block_damaged", "tier", name, "key", ref.Key.String(), "error", cause, "note", "it is quarantined and computed anew")
	if e.cfg.Listener.Damaged != nil {
		e.cfg.Listener.Damaged(name, cause)
	}
}

// looked tells how many of the expected full blocks a tier had, up to the first that it had not.
func (e *events) looked(tier kv.Tier, refs []kv.Ref, copies []kv.Copy) {
	if e.cfg.Listener.Looked == nil {
		return
	}
	expected, hits := 0, 0
	for i, ref := range refs {
		if !ref.Full() || i < len(copies) && copies[i].IsUnknown {
			continue
		}
		if hits == expected && i < len(copies) && copies[i].Exists() {
			hits++
		}
		expected++
	}
	e.cfg.Listener.Looked(tier.Name(), hits, expected-hits)
}

func (e *events) fetched(t Transfer) {
	if e.cfg.Listener.Fetched != nil {
		e.cfg.Listener.Fetched(t)
	}
}

func (e *events) stored(t Transfer) {
	if e.cfg.Listener.Stored != nil {
		e.cfg.Listener.Stored(t)
	}
}

func (e *events) dropped(reason string) {
	if e.cfg.Listener.Dropped != nil {
		e.cfg.Listener.Dropped(reason)
	}
}

func (e *events) reclaimed(reason string, blocks int) {
	if e.cfg.Listener.Reclaims != nil && blocks > 0 {
		e.cfg.Listener.Reclaims(reason, blocks)
	}
}
