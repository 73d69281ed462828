package kv

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors by which callers of a tier decide. Every other error means that the tier could not be asked.
var (
	ErrNotFound = errors.New("no such block") // a plain miss
	ErrDamaged  = errors.New("the block is damaged")
	ErrRefused  = errors.New("the tier takes no more") // full or degraded: the store is dropped, nothing is wrong
)

// Space is what a block belongs to: blocks of different spaces never meet.
type Space struct {
	Fingerprint Fingerprint
	Salt        SaltID
}

// Entry describes a stored block. It names the block; its header tells the rest.
type Entry struct {
	Space
	Key    Key
	Parent Key
	Index  int       // of the block in its sequence, from 0
	Tags   []Tag     // one for each token; BlockTokens of them in a full block, fewer in a tail
	Bytes  int64     // of the stored form
	Used   time.Time // last, as far as a tier's Lookup knows
}

// Full tells whether other blocks may continue this one. A block that is not full is a tail.
func (e Entry) Full() bool { return len(e.Tags) == BlockTokens }

// Path names the block below a tier's root. Tails lie under their parent's name, so that one listing finds them.
func (e Entry) Path() string {
	dir := fmt.Sprintf("v1/%s/%s/", e.Fingerprint, e.Salt)
	if e.Full() {
		return dir + e.Key.String()[:2] + "/" + e.Key.String()
	}
	return dir + e.Parent.String()[:2] + "/" + e.Parent.String() + "." + e.Key.String()
}

// Query asks what a tier holds of one sequence, all at once.
type Query struct {
	Space
	Parents []Key // the sequence's blocks so far, from Root on
	Keys    []Key // Keys[i] is the full block expected to continue Parents[i]; may be shorter than Parents
}

// Tier keeps blocks at rest. All methods may be called from any goroutine. Data is a block file as Seal makes it.
type Tier interface {
	// Lookup returns, for each parent, entries that continue it: at least the expected full block if it is there,
	// and tails and other blocks as far as the tier knows them without reading blocks.
	Lookup(ctx context.Context, q Query) ([][]Entry, error)
	// Read returns the block's file, in buf if that is large enough. It does not verify it. ErrNotFound: a miss.
	Read(ctx context.Context, e Entry, buf []byte) ([]byte, error)
	// Write stores a block's file. When it returns nil the block is durable and will be found, also after a crash.
	// Storing what is there already is no error. ErrRefused: the tier is full of what is kept, or degraded.
	Write(ctx context.Context, e Entry, data []byte) error
	// Remove deletes a block for good; a block that isn't there is no error.
	Remove(ctx context.Context, e Entry) error
	// Quarantine puts a block away that turned out damaged, so that it is never found again.
	Quarantine(ctx context.Context, e Entry, cause error) error
	// Keep notes that the blocks were used now, and that they are to be given up last until the given time (zero
	// for no wish). It never fails and waits for nothing.
	Keep(entries []Entry, until time.Time)
	// Status is the tier's state now.
	Status() TierStatus
}

// Inspector is a tier that can tell what it put away.
type Inspector interface {
	// Quarantined tells whether a damaged form of the block lies in the tier's quarantine.
	Quarantined(e Entry) bool
}

// TierStatus describes a tier at one moment.
type TierStatus struct {
	Name     string
	Healthy  bool
	Problem  string // what is wrong or slow, and what to do; empty when all is well
	Indexing bool   // what lies there is still being counted after a start
	Blocks   int    // blocks that can be found
	Bytes    int64  // physical bytes in use
	Budget   int64  // physical bytes that may be in use
}
