package agents

import (
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Change is what a record becomes, told by what is different, so that a turn writes as much as it changed and
// not all that the agent ever said.
type Change struct {
	Record  Record   // as it is to be; its version is that of the record that it replaces
	Rewrite bool     // parts of the stored record can't be read: all of it is replaced
	Heads   []Head   // that are new or were used again
	Dropped []kv.Key // heads that are no longer there
	Gained  []kv.Key // blocks that it comes to own
	Lost    []kv.Key // blocks that it no longer owns
}

// ChangeOf returns the change that makes one record into another. The zero record stands for none.
func ChangeOf(before, after Record) Change {
	c := Change{Record: after, Rewrite: before.Damaged > 0}
	if c.Rewrite {
		before.Heads = nil
	}
	lastUses := usesOf(before)
	for _, head := range after.Heads {
		if used, known := lastUses[head.Chain.Head()]; !known || !used.Equal(head.Used) {
			c.Heads = append(c.Heads, head)
		}
	}
	c.Dropped = keysNotIn(keysOfHeads(before), keysOfHeads(after))
	c.Gained = keysNotIn(blocksOf(after), blocksOf(before))
	c.Lost = keysNotIn(blocksOf(before), blocksOf(after))
	return c
}

// usesOf is when the record's conversations were used last.
func usesOf(r Record) map[kv.Key]time.Time {
	uses := make(map[kv.Key]time.Time, len(r.Heads))
	for _, head := range r.Heads {
		uses[head.Chain.Head()] = head.Used
	}
	return uses
}

func keysOfHeads(r Record) (keys []kv.Key) {
	for _, head := range r.Heads {
		keys = append(keys, head.Chain.Head())
	}
	return keys
}

func blocksOf(r Record) (keys []kv.Key) {
	for _, head := range r.Heads {
		keys = append(keys, head.Chain.Keys...)
		if head.Chain.Tail != kv.Root {
			keys = append(keys, head.Chain.Tail)
		}
	}
	return keys
}

// keysNotIn returns those of the keys that the others don't have, each once.
func keysNotIn(keys, others []kv.Key) (remaining []kv.Key) {
	seen := make(map[kv.Key]bool, len(others)+len(keys))
	for _, key := range others {
		seen[key] = true
	}
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			remaining = append(remaining, key)
		}
	}
	return remaining
}
