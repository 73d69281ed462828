package kv

import "slices"

// Index knows blocks by their key and by their parent. It is not safe for concurrent use.
type Index[T any] struct {
	entries  map[place]*Indexed[T]
	children map[place][]*Indexed[T] // by parent, in the order of arrival
}

// Indexed is an entry with what its owner knows about it.
type Indexed[T any] struct {
	Entry
	Value T
}

// place is a key in a space.
type place struct {
	Space
	key Key
}

// NewIndex returns an empty index.
func NewIndex[T any]() *Index[T] {
	return &Index[T]{entries: map[place]*Indexed[T]{}, children: map[place][]*Indexed[T]{}}
}

// Add enters a block. One that is there already stays as it is; added tells which.
func (x *Index[T]) Add(e Entry, value T) (entry *Indexed[T], added bool) {
	at := place{e.Space, e.Key}
	if there := x.entries[at]; there != nil {
		return there, false
	}
	entry = &Indexed[T]{e, value}
	x.entries[at] = entry
	parent := place{e.Space, e.Parent}
	x.children[parent] = append(x.children[parent], entry)
	return entry, true
}

// Get finds a block, or nil.
func (x *Index[T]) Get(s Space, k Key) *Indexed[T] { return x.entries[place{s, k}] }

// Remove forgets a block.
func (x *Index[T]) Remove(s Space, k Key) {
	entry := x.Get(s, k)
	if entry == nil {
		return
	}
	delete(x.entries, place{s, k})
	parent := place{s, entry.Parent}
	left := slices.DeleteFunc(x.children[parent], func(other *Indexed[T]) bool { return other == entry })
	if len(left) == 0 {
		delete(x.children, parent)
		return
	}
	x.children[parent] = left
}

// Children are the blocks that continue a parent. The slice belongs to the index.
func (x *Index[T]) Children(s Space, parent Key) []*Indexed[T] { return x.children[place{s, parent}] }

// Len is the number of blocks.
func (x *Index[T]) Len() int { return len(x.entries) }

// All visits every block in no order until visit returns false. Blocks may be removed meanwhile.
func (x *Index[T]) All(visit func(*Indexed[T]) bool) {
	for _, entry := range x.entries {
		if !visit(entry) {
			return
		}
	}
}

// Lookup answers a query as Tier.Lookup does, with all that continues each parent.
func (x *Index[T]) Lookup(q Query) [][]Entry {
	found := make([][]Entry, len(q.Parents))
	for i, parent := range q.Parents {
		for _, child := range x.Children(q.Space, parent) {
			found[i] = append(found[i], child.Entry)
		}
	}
	return found
}
