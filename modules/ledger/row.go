package ledger

import (
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// The tiers, by which a row's figures are split.
const (
	poolTier = iota
	diskTier
	objectTier
	tiers
)

// tierNames are the tiers' names in answers and metrics.
func tierNames() [tiers]string { return [tiers]string{"pool", "disk", "object"} }

// tierOf finds a tier by its name. One that is not known counts as the last.
func tierOf(name string) int {
	for i, known := range tierNames() {
		if known == name {
			return i
		}
	}
	return objectTier
}

// amounts are what is charged.
type amounts struct {
	requests            int64
	computed, generated int64 // tokens
	read                [tiers]int64
	avoided             time.Duration // that computing what was read would have taken
	reading             time.Duration // that bringing blocks up took
	held                [tiers]held
	objectCalls         int64
	objectRead          int64 // bytes
	objectWritten       int64
	diskWritten         int64
}

// take adds other amounts.
func (a *amounts) take(b *amounts, now time.Duration) {
	a.requests += b.requests
	a.computed += b.computed
	a.generated += b.generated
	a.avoided += b.avoided
	a.reading += b.reading
	a.objectCalls += b.objectCalls
	a.objectRead += b.objectRead
	a.objectWritten += b.objectWritten
	a.diskWritten += b.diskWritten
	for i := range tiers {
		a.read[i] += b.read[i]
		a.held[i].take(b.held[i], now)
	}
}

// holds tells whether blocks are charged here that are in a tier now.
func (a *amounts) holds() bool {
	for _, h := range a.held {
		if h.bytes != 0 {
			return true
		}
	}
	return false
}

// Kind tells what a row stands for.
type Kind string

// The kinds.
const (
	KindAgent  Kind = "agent"  // an agent of a tenant, with one model
	KindOthers Kind = "others" // agents that were not seen for so long that they have no row any more
	KindNone   Kind = "none"   // what no agent asked for
	KindTenant Kind = "tenant" // all of a tenant
	KindModel  Kind = "model"  // all of a model
)

// name is whose a row is.
type name struct {
	kind                 Kind
	tenant, agent, model string
}

// row is a payer: whose blocks hold it may be charged as long as they are somewhere. Once it has no place any more, what it
// had and what is still to come belong to another row.
type row struct {
	name
	amounts *amounts // nil if it belongs to another
	into    *row
}

var _ kv.Payer = (*row)(nil)

func newRow(n name) *row { return &row{name: n, amounts: &amounts{}} }

// now is the row that stands for this one.
func (r *row) now() *row {
	for r.into != nil {
		r = r.into
	}
	return r
}

// merge makes a row a part of another one.
func (r *row) merge(into *row, now time.Duration) {
	into.amounts.take(r.amounts, now)
	r.amounts, r.into = nil, into
}
