package agents

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Errors of a store. Every other error means that it could not be asked.
var (
	ErrNotFound = errors.New("no such agent")
	ErrConflict = errors.New("the record was changed meanwhile")
)

// Store keeps records. Its methods may be called from anywhere, and from several processes.
type Store interface {
	// Secret returns the cluster's secret, which is the proposed one if there was none.
	Secret(ctx context.Context, proposed []byte) ([]byte, error)
	// Get returns a record, or ErrNotFound.
	Get(ctx context.Context, tenant, id string) (Record, error)
	// Put stores a record, and that it owns its blocks, in place of the version that it has (0: there is none), and
	// returns the new version. ErrConflict: there is another.
	Put(ctx context.Context, r Record) (version int64, err error)
	// List returns records in the order of tenant and id, and where to go on, empty at the end.
	List(ctx context.Context, f Filter) (page []Record, next Cursor, err error)
	// Delete removes the record that the deletion names and stores the deletion, both or neither, and returns it with the
	// record's chains. ErrNotFound: there is no record.
	Delete(ctx context.Context, d Deletion) (Deletion, error)
	// Deletion returns a deletion, without its chains. ErrNotFound: there is none, or it ended long ago.
	Deletion(ctx context.Context, operation string) (Deletion, error)
	// Pending returns the deletions that have not ended, the oldest first, and forgets those that ended before then.
	Pending(ctx context.Context, endedBefore time.Time) ([]Deletion, error)
	// Progress stores how far a deletion is. Of one that has ended the chains are forgotten.
	Progress(ctx context.Context, d Deletion) error
	// Unowned returns those of the blocks that no record owns.
	Unowned(ctx context.Context, entries []kv.Entry) ([]kv.Entry, error)
	// Close ends the use of the store.
	Close() error
}

// Filter chooses records.
type Filter struct {
	Tenant     string // empty: all
	Prefix     string // of the id
	UsedBefore time.Time
	UsedAfter  time.Time
	After      Cursor
	Limit      int
}

// Cursor is a place in the order of records; the zero cursor is before the first.
type Cursor struct{ Tenant, ID string }
