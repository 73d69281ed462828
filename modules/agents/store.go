package agents

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Errors of a store. Every other error means that it could not be asked.
var (
	ErrNotFound    = errors.New("no such agent")
	ErrConflict    = errors.New("the record was changed meanwhile")
	ErrRemoving    = errors.New("blocks are just being removed, since nobody owned them")
	ErrUnnoticed   = errors.New("the agent was deleted through another node, and this node has not taken notice yet")
	ErrOtherSecret = errors.New("the database has another cluster secret than this node: its blocks and records belong to another cluster")
	ErrSameNode    = errors.New("another process lives in this node's name: does its cache folder belong to two servers?")
	ErrNoSecret    = errors.New("there is no cluster secret yet")
)

// Bounds of one removal. The lock that it holds ends later than its context, so that both never disagree.
const (
	RemovalPatience = 20 * time.Second
	RemovalLock     = 30 * time.Second
)

// Store keeps records. Its methods may be called from anywhere, and from several processes.
type Store interface {
	Records
	Deletions
	Owners
	Secrets
	Connection
}

// Records are the agents' records.
type Records interface {
	// Get returns a record, or ErrNotFound.
	Get(ctx context.Context, tenant, id string) (Record, error)
	// Put makes a change, and returns the new version. ErrConflict: the stored version is not the one that
	// the change began with. ErrRemoving: a block that the record would come to own is being removed.
	// ErrUnnoticed: this node has not taken notice that the agent was deleted. Nothing was changed then.
	Put(ctx context.Context, c Change) (version int64, err error)
	// List returns records in the order of tenant and id, and where to go on, empty at the end.
	List(ctx context.Context, f Filter) (page []Record, next Cursor, err error)
}

// Owners tells which blocks somebody needs. Each question is one query, however many blocks it is about.
type Owners interface {
	// LastUse returns when the records that own the blocks were used last, zero for blocks that none owns.
	LastUse(ctx context.Context, blocks []kv.Ref) ([]time.Time, error)
	// Unowned returns those of the blocks that no record owns, each once.
	Unowned(ctx context.Context, blocks []kv.Ref) ([]kv.Ref, error)
	// DeleteUnowned calls remove with those of the blocks that no record owns. While it runs, which takes
	// RemovalPatience at most, no record can come to own them. The lock holds in all processes, and one that
	// ends meanwhile leaves it for RemovalLock at most; the same operation may go on at once. ErrRemoving:
	// another operation removes some of the blocks, which are left to it.
	DeleteUnowned(ctx context.Context, operation string, blocks []kv.Ref, remove func(ctx context.Context, orphans []kv.Ref) error) error
}

// Deletions are the promises to remove what a deleted agent leaves.
type Deletions interface {
	// Delete removes the record that the deletion names and stores the deletion, both or neither, and returns
	// it with the record's chains behind its own. ErrNotFound: there is no record, nor a request under way.
	Delete(ctx context.Context, d Deletion) (Deletion, error)
	// DeleteTenant removes all records of the deletion's tenant and stores the deletion, both or neither. A deletion
	// without an agent's id is one of a whole tenant.
	DeleteTenant(ctx context.Context, d Deletion) error
	// Deletion returns a deletion, without its chains. ErrNotFound: there is none, or it ended long ago.
	Deletion(ctx context.Context, operation string) (Deletion, error)
	// Pending returns the deletions that this node has not done, the oldest first, and forgets those that
	// ended before then.
	Pending(ctx context.Context, endedBefore time.Time) ([]Deletion, error)
	// Notice stores that this node took notice of a deletion, and further chains whose blocks are to be
	// removed. Until then this node neither makes nor changes a record of the deleted agent.
	Notice(ctx context.Context, operation string, further []kv.Chain) error
	// Progress stores how far this node is with a deletion: done if it has an end. A deletion ends when every
	// node that lives has done it; its chains are forgotten when every node has that is known.
	Progress(ctx context.Context, d Deletion) error
}

// Shared is what a store can do besides if several nodes share it.
type Shared interface {
	// Beat tells that this node lives. ErrSameNode: another process does so in this one's name.
	Beat(ctx context.Context) error
	// Watch calls changed whenever a node took a deletion or sent a command, until ctx ends or the connection
	// is lost. Some may be missed.
	Watch(ctx context.Context, changed func()) error
	// Send leaves a command to every other node that lives, and returns how many these are.
	Send(ctx context.Context, c Command) (nodes int, err error)
	// Received takes the commands that other nodes left to this one, in their order.
	Received(ctx context.Context) ([]Command, error)
	// Lead does what one node has to do for all, unless another one does so now.
	Lead(ctx context.Context, do func(context.Context)) error
}

// Bounds of nodes' lives.
const (
	BeatEvery = 5 * time.Second
	LivesFor  = 30 * time.Second // after its last beat
	// CommandsHold is how long a command waits for a node that can't be reached.
	CommandsHold = 10 * time.Minute
	KnownFor     = 90 * 24 * time.Hour // a node that is away for longer no longer holds up that deletions are forgotten
)

// Secrets keeps the cluster's secret.
type Secrets interface {
	// Secret returns the cluster's secret, which is the proposed one if there was none. Nil proposes none:
	// ErrNoSecret.
	Secret(ctx context.Context, proposed []byte) ([]byte, error)
}

// Connection is the way to where records are kept.
type Connection interface {
	// Check fails if what is written no longer arrives where it is looked for after a restart. It is quick.
	Check() error
	// Rescue writes what can still be read to where it should be, after Check failed.
	Rescue(ctx context.Context) error
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
