// Package agents knows the agents: who they are, which blocks are theirs, and how long they are kept. It
// moves and deletes their memory on request, for users their own, for operators everybody's.
package agents

import (
	"slices"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// maxHeads is how many conversations an agent has: an id often stands for several.
const maxHeads = 8

// Head is one conversation of an agent, as far as it went.
type Head struct {
	Chain kv.Chain
	Used  time.Time
}

// Record is what is known of an agent.
type Record struct {
	Tenant, ID  string
	Created     time.Time
	Used        time.Time
	RetainUntil time.Time     // its blocks are given up after others until then
	TTL         time.Duration // unused for so long it is deleted; 0: the server's setting
	Heads       []Head        // used last first
	Damaged     int           // parts of the stored record that can't be read; the next change leaves them out
	Version     int64         // grows with every change; 0: never stored
}

// Chains are the blocks of all heads.
func (r *Record) Chains() []kv.Chain {
	chains := make([]kv.Chain, len(r.Heads))
	for i, head := range r.Heads {
		chains[i] = head.Chain
	}
	return chains
}

// Tokens is the length of the longest conversation.
func (r *Record) Tokens() (most int) {
	for _, head := range r.Heads {
		most = max(most, head.Chain.Tokens)
	}
	return most
}

// Use is a conversation that went on.
type Use struct {
	Chain kv.Chain
	From  kv.Key // the tail that it began with, Root if none is known
	At    time.Time
}

// Add takes a use into the record: the head that it continues is replaced, and the oldest head makes room. It
// returns the tails that the use outgrew.
func (r *Record) Add(use Use) (outgrown []kv.Ref) {
	r.correctFuture(use.At)
	if use.At.After(r.Used) {
		r.Used = use.At
	}
	if use.Chain.Tokens == 0 {
		return nil
	}
	r.Heads = slices.DeleteFunc(r.Heads, func(h Head) bool {
		if !use.continues(h.Chain) {
			return false
		}
		if entries := h.Chain.Refs(); h.Chain.Tail != kv.Root && h.Chain.Tail != use.Chain.Tail {
			outgrown = append(outgrown, entries[len(entries)-1])
		}
		return true
	})
	r.Heads = append(r.Heads, Head{use.Chain, use.At})
	slices.SortStableFunc(r.Heads, func(a, b Head) int { return b.Used.Compare(a.Used) })
	r.Heads = r.Heads[:min(len(r.Heads), maxHeads)]
	return outgrown
}

// maxClockAhead is how far in the future a time must lie to be taken for that of a wrong clock.
const maxClockAhead = time.Hour

// correctFuture corrects times of the record that lie far in the future.
func (r *Record) correctFuture(now time.Time) (changed bool) {
	wrong := func(t *time.Time) {
		if t.Sub(now) > maxClockAhead {
			*t, changed = now, true
		}
	}
	wrong(&r.Used)
	for i := range r.Heads {
		wrong(&r.Heads[i].Used)
	}
	return changed
}

// continues tells whether the use holds all of an earlier chain.
func (u Use) continues(earlier kv.Chain) bool {
	n := len(earlier.Keys)
	if u.Chain.Space != earlier.Space || n > len(u.Chain.Keys) || !slices.Equal(u.Chain.Keys[:n], earlier.Keys) {
		return false
	}
	return earlier.Tail == kv.Root || earlier.Tail == u.From || earlier.Tail == u.Chain.Tail
}
