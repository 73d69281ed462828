package kv_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// indexModel is an index beside a list of the same blocks.
type indexModel struct {
	index  *kv.Index[int]
	blocks []kv.Entry
	made   int
}

// drawTags draws chained tags: equal up to the first that differs, never after.
func drawTags(r *rapid.T, label string) (tags []kv.Tag) {
	last := kv.Tag{1}
	for _, token := range rapid.SliceOfN(rapid.ByteRange(0, 2), 1, 8).Draw(r, label) {
		last[0], last[1+len(tags)] = last[0]*3+token+1, token+1
		tags = append(tags, last)
	}
	return tags
}

func (m *indexModel) Add(r *rapid.T) {
	tags := drawTags(r, "tags")
	e := kv.Entry{Ref: kv.Ref{Parent: kv.Key{rapid.ByteRange(1, 2).Draw(r, "parent")}}, Tags: tags}
	if len(tags) > 1 && rapid.Bool().Draw(r, "last has no KV") {
		e.Tags, e.Next = tags[:len(tags)-1], tags[len(tags)-1]
	}
	m.made++
	e.Tokens = len(e.Tags)
	e.Key = kv.Key{1, byte(m.made), byte(m.made >> 8)}
	m.index.Add(e, m.made)
	m.blocks = append(m.blocks, e)
}

func (m *indexModel) Remove(r *rapid.T) {
	if len(m.blocks) == 0 {
		r.Skip()
	}
	i := rapid.IntRange(0, len(m.blocks)-1).Draw(r, "which")
	m.index.Remove(m.blocks[i].Space, m.blocks[i].Key)
	m.blocks = slices.Delete(m.blocks, i, i+1)
}

func knownOf(e kv.Entry) []kv.Tag {
	if e.Next != (kv.Tag{}) {
		return append(slices.Clone(e.Tags), e.Next)
	}
	return e.Tags
}

// Check runs after every action.
func (m *indexModel) Check(r *rapid.T) {
	parent, tags := kv.Key{rapid.ByteRange(1, 2).Draw(r, "under")}, drawTags(r, "asked")
	longest, children := 0, 0
	var shorter []kv.Key
	for _, e := range m.blocks {
		if e.Parent != parent {
			continue
		}
		children++
		longest = max(longest, kv.Common(knownOf(e), tags))
		if known := knownOf(e); kv.Common(known, tags) == len(known) && len(e.Tags) < len(tags) {
			shorter = append(shorter, e.Key)
		}
	}
	end, n := m.index.Behind(kv.Space{}, parent).Along(tags)
	e, ok := end.Entry(n)
	if n != longest || ok != (children > 0) || kv.Common(knownOf(e), tags) != longest || m.index.Children(kv.Space{}, parent) != children {
		r.Fatalf("%d of %d blocks, %d tokens in common, want %d; %v", m.index.Children(kv.Space{}, parent), children, n, longest, ok)
	}
	var got []kv.Key
	for _, e := range m.index.Behind(kv.Space{}, parent).Beginning(kv.Entry{Tags: tags}) {
		got = append(got, e.Key)
	}
	less := func(a, b kv.Key) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(got, less)
	slices.SortFunc(shorter, less)
	if !slices.Equal(got, shorter) {
		r.Fatalf("%v begin it, want %v", got, shorter)
	}
}

func TestATreeOfBlocksAnswersAsAListOfThem(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		r.Repeat(rapid.StateMachineActions(&indexModel{index: kv.NewIndex[int]()}))
	})
}

// What others stored behind the same parent does not make a look-up longer: 10 and 100,000 siblings.
func BenchmarkNearestAmongSiblings(b *testing.B) {
	tenant, f := kv.NewTenant([]byte("cluster"), "default"), kv.Fingerprint{1}
	system := make([]kv.Token, 40)
	tagsOf := func(i int) []kv.Tag {
		return tenant.Tags(f, kv.Root, append(slices.Clone(system), kv.Token(i), kv.Token(i/7), 3))
	}
	for _, siblings := range []int{10, 100_000} {
		index := kv.NewIndex[int]()
		for i := range siblings {
			index.Add(kv.Entry{Ref: kv.Ref{Key: kv.Key{1, byte(i), byte(i >> 8), byte(i >> 16)}, Tokens: len(tagsOf(i))}, Tags: tagsOf(i)}, i)
		}
		b.Run(fmt.Sprint(siblings), func(b *testing.B) {
			wanted := tagsOf(7)
			for b.Loop() {
				end, n := index.Behind(kv.Space{}, kv.Root).Along(wanted)
				if e, ok := end.Entry(n); !ok || n != 43 || len(e.Tags) != 43 {
					b.Fatal("not found")
				}
			}
		})
	}
}
