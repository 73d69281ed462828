package agents_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"pgregory.net/rapid"
)

// What a change tells, made to a record as a store keeps it, gives the record that was wanted, and tells no
// more than is different.
func TestAChangeMakesOneRecordIntoTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		was, is := anyRecord(t, "was"), anyRecord(t, "is")
		is.Damaged = was.Damaged
		c := agents.ChangeOf(was, is)
		heads, owned := map[kv.Key]time.Time{}, map[kv.Key]bool{}
		if !c.Rewrite {
			heads, owned = stored(was)
		}
		for _, key := range c.Dropped {
			delete(heads, key)
		}
		for _, head := range c.Heads {
			if at, there := heads[head.Chain.Head()]; there && at.Equal(head.Used) {
				t.Errorf("a head is told that did not change: %v", head)
			}
			heads[head.Chain.Head()] = head.Used
		}
		for _, key := range c.Lost {
			if !owned[key] {
				t.Errorf("%v is lost that was never owned", key)
			}
			delete(owned, key)
		}
		for _, key := range c.Gained {
			if owned[key] {
				t.Errorf("%v is gained that was owned", key)
			}
			owned[key] = true
		}
		wantHeads, wantOwned := stored(is)
		if !maps.Equal(heads, wantHeads) || !maps.Equal(owned, wantOwned) {
			t.Errorf("%v makes %v, %v of %v, want %v, %v", c, heads, owned, was, wantHeads, wantOwned)
		}
	})
}

// stored is what a store keeps of a record's conversations.
func stored(r agents.Record) (heads map[kv.Key]time.Time, owned map[kv.Key]bool) {
	heads, owned = map[kv.Key]time.Time{}, map[kv.Key]bool{}
	for _, head := range r.Heads {
		heads[head.Chain.Head()] = head.Used
		for _, ref := range head.Chain.Refs() {
			owned[ref.Key] = true
		}
	}
	return heads, owned
}

func anyRecord(t *rapid.T, name string) (r agents.Record) {
	r.Damaged = rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, name+" damaged")
	seen := []kv.Key{}
	for range rapid.IntRange(0, 4).Draw(t, name+" heads") {
		c := chain(rapid.SliceOfN(rapid.ByteRange(1, 6), 1, 4).Draw(t, name)...)
		if rapid.Bool().Draw(t, name+" tail") {
			c.Tail, c.Tokens = kv.Key{100 + rapid.ByteRange(0, 3).Draw(t, name+" tail key")}, c.Tokens+1
		}
		if !slices.Contains(seen, c.Head()) {
			seen = append(seen, c.Head())
			r.Heads = append(r.Heads, agents.Head{Chain: c, Used: time.Unix(rapid.Int64Range(1, 2).Draw(t, name+" used"), 0)})
		}
	}
	return r
}

// A turn of a long conversation changes one head and the blocks at its end.
func TestATurnTellsItsOwnBlocksOnly(t *testing.T) {
	var was agents.Record
	first := chain(1, 2, 3, 4, 5)
	first.Tail, first.Tokens = kv.Key{50}, first.Tokens+9
	was.Add(agents.Use{Chain: first, At: time.Unix(1, 0)})
	was.Add(agents.Use{Chain: chain(1, 9), At: time.Unix(1, 0)})
	is := was
	is.Heads = slices.Clone(was.Heads)
	is.Add(agents.Use{Chain: chain(1, 2, 3, 4, 5, 6), From: kv.Key{50}, At: time.Unix(2, 0)})
	c := agents.ChangeOf(was, is)
	if len(c.Heads) != 1 || len(c.Dropped) != 1 || !slices.Equal(c.Gained, []kv.Key{{6}}) || !slices.Equal(c.Lost, []kv.Key{{50}}) {
		t.Errorf("%+v", c)
	}
}
