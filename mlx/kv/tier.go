// Package kv names blocks of KV and tells what a tier that keeps them is. A block holds the KV of consecutive tokens; its key
// is a hash of all that its content depends on, so that equal keys mean equal KV, on every node.
package kv

import (
	"context"
	"errors"
	"time"
)

// Errors by which callers of a tier decide. Every other error means that the tier could not be asked.
var (
	ErrNotFound = errors.New("no such block") // a plain miss
	ErrDamaged  = errors.New("the block is damaged")
	ErrVersion  = errors.New("the block's format is not known to this version") // it is not damaged
	ErrRefused  = errors.New("the tier takes no more")                          // full or degraded: the store is dropped, nothing is wrong
)

// Kinds of faults of tiers that are asked over a network, for those who tell of them.
var (
	ErrThrottled = errors.New("the tier is asked too often")
	ErrTimeout   = errors.New("the tier did not answer in time")
)

// FaultOf names the kind of an error of a tier, for metrics: "missing", "refused", "throttled", "timeout", "damaged", or
// "other".
func FaultOf(err error) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{ErrNotFound, "missing"}, {ErrRefused, "refused"}, {ErrThrottled, "throttled"}, {ErrDamaged, "damaged"},
		{ErrTimeout, "timeout"}, {context.DeadlineExceeded, "timeout"},
	} {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	return "other"
}

// Copy is what a tier says of its copy of a block.
type Copy struct {
	Bytes     int64     // of the stored form; 0: the tier does not have the block
	Used      time.Time // last, as far as the tier knows
	IsUnknown bool      // the tier did not say: it may have the block
}

// Exists tells whether there is a copy.
func (c Copy) Exists() bool { return c.Bytes > 0 }

// Tier keeps blocks at rest. All methods may be called from any goroutine and end soon after their context. Data is a
// block file as blockfile.Seal makes it. What only some tiers can do are abilities of their own (Browser, Toucher,
// Quarantiner, Wiper, Distant, Comparer), which As finds through every wrapper.
type Tier interface {
	// Name is that of the tier in metrics and answers: "disk", "object". It is constant and asks nobody.
	Name() string
	// Lookup tells for each block whether the tier has it. It costs far less than a read of each.
	Lookup(ctx context.Context, refs []Ref) ([]Copy, error)
	// Get returns the block's file, in buf if that is large enough. It does not verify it. ErrNotFound: a miss.
	// ErrDamaged: what lies there can't be it; the caller has it quarantined.
	Get(ctx context.Context, ref Ref, buf []byte) ([]byte, error)
	// Put stores a block's file. When it returns nil the block is durable and will be found, also after a crash.
	// Storing what is there already is no error. ErrRefused: the tier is full of what is kept, or degraded.
	Put(ctx context.Context, e Entry, data []byte) error
	// Delete removes a block for good; a block that isn't there is no error.
	Delete(ctx context.Context, ref Ref) error
	// Status is the tier's state now.
	Status() TierStatus
}

// Browser is a tier that knows its blocks by their tokens.
type Browser interface {
	// Browse calls visit with the tree of the blocks that continue a parent, as far as the tier knows them without
	// waiting for anything. The tree is valid within visit, which calls nothing of the tier.
	Browse(s Space, parent Key, visit func(Branch))
}

// Toucher is a tier that gives up by itself what was not used for long.
type Toucher interface {
	// Touch notes that the blocks were used now, and that they are to be given up last until the given time (zero for
	// no wish). It never fails and waits for nothing.
	Touch(refs []Ref, until time.Time)
}

// Quarantiner is a tier that puts damaged blocks aside instead of serving them again.
type Quarantiner interface {
	// Quarantine puts a block aside that turned out damaged, so that it is never found again.
	Quarantine(ctx context.Context, ref Ref, cause error) error
	// Quarantined tells whether a damaged form of the block lies in the tier's quarantine.
	Quarantined(ref Ref) bool
}

// Wiper is a tier that can remove all that it has of a tenant.
type Wiper interface {
	// Wipe removes for good every block under a salt, whatever the model, damaged ones included. A tier that knows when
	// blocks were stored leaves those that were stored later than the given time. What is stored meanwhile may stay.
	Wipe(ctx context.Context, salt SaltID, until time.Time) (Moved, error)
}

// Distant is a tier that is asked over a network: a look-up costs a round trip. It remembers what it was told.
type Distant interface {
	// Known is Lookup by what the tier remembers, at once. Blocks of which it remembers nothing are unknown.
	Known(refs []Ref) []Copy
	// Learn asks for blocks of one sequence, in their order, until one is missing, and remembers which are there and by
	// which tokens they are found.
	Learn(ctx context.Context, refs []Ref) error
	// LearnBehind asks which blocks continue a parent, and remembers them as Learn does. It tells whether there are some of
	// which nothing was remembered.
	LearnBehind(ctx context.Context, s Space, parent Key) (more bool, err error)
}

// Comparer is a tier that tells of very many blocks at once which it lacks, without a request for each.
type Comparer interface {
	// Missing returns those of the blocks that the tier does not have.
	Missing(ctx context.Context, refs []Ref) ([]Ref, error)
}

// Stored is a block that lies in a tier.
type Stored struct {
	Ref         // Index and Tokens are not known
	Bytes int64 // of the stored form
	At    time.Time
}

// Inventory is a tier that several nodes share and that can list all that lies in it.
type Inventory interface {
	// Walk calls visit with all blocks, some hundred at a time. An error of visit ends it.
	Walk(ctx context.Context, visit func([]Stored) error) error
	// Claim returns the id of the cluster that the tier belongs to, which is the proposed one if it belonged to none.
	Claim(ctx context.Context, proposed string) (id string, err error)
	// Delete removes a block for good; a block that isn't there is no error.
	Delete(ctx context.Context, ref Ref) error
}

// Wrapper is a tier around another one. What it does not do itself is found in the inner one.
type Wrapper interface {
	Tier
	Unwrap() Tier
}

// As returns the ability A of a tier: its own, or that of the nearest tier that it wraps.
func As[A any](t Tier) (ability A, ok bool) {
	for t != nil {
		if ability, ok = t.(A); ok {
			return ability, true
		}
		wrapper, wraps := t.(Wrapper)
		if !wraps {
			break
		}
		t = wrapper.Unwrap()
	}
	return ability, false
}

// TierStatus describes a tier at one moment. What a tier does not count is 0.
type TierStatus struct {
	Name     string
	Healthy  bool
	Problem  string // what is wrong or slow, and what to do; empty when all is well
	Indexing bool   // what lies there is still being counted after a start
	Blocks   int    // blocks that can be found
	Bytes    int64  // physical bytes in use
	Budget   int64  // physical bytes that may be in use
}
