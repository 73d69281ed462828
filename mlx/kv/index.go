package kv

// Index knows blocks by their key and, behind their parent, by their tokens. It is not safe for concurrent use.
type Index[T any] struct {
	entries map[place]*Indexed[T]
	trees   map[place]*tree // by parent
}

// Indexed is an entry with what its owner knows about it.
type Indexed[T any] struct {
	Entry
	Value T
	note  *Entry // in the tree behind a full block: the token that it knows there
}

// place is a key in a space.
type place struct {
	Space
	key Key
}

// tree holds the blocks that continue one parent.
type tree struct {
	root   node
	blocks int
	notes  int // of tokens known without a block
}

// NewIndex returns an empty index.
func NewIndex[T any]() *Index[T] {
	return &Index[T]{entries: map[place]*Indexed[T]{}, trees: map[place]*tree{}}
}

// Add enters a block. One that is there already stays as it is; added tells which.
func (x *Index[T]) Add(e Entry, value T) (entry *Indexed[T], added bool) {
	at := place{e.Space, e.Key}
	if there := x.entries[at]; there != nil {
		return there, false
	}
	entry = &Indexed[T]{Entry: e, Value: value}
	x.entries[at] = entry
	t := x.tree(place{e.Space, e.Parent})
	t.root.add(e.known(), &entry.Entry)
	t.blocks++
	if e.Full() && e.Next != (Tag{}) {
		entry.note = &Entry{Ref: Ref{Space: e.Space, Parent: e.Key}, Next: e.Next}
		behind := x.tree(at)
		behind.root.add(entry.note.known(), entry.note)
		behind.notes++
	}
	return entry, true
}

// tree is that of a parent, which is made if there is none.
func (x *Index[T]) tree(parent place) *tree {
	t := x.trees[parent]
	if t == nil {
		t = &tree{}
		x.trees[parent] = t
	}
	return t
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
	t := x.trees[parent]
	t.root.remove(entry.known(), &entry.Entry)
	t.blocks--
	x.prune(parent)
	if entry.note != nil {
		behind := x.trees[place{s, k}]
		behind.root.remove(entry.note.known(), entry.note)
		behind.notes--
		x.prune(place{s, k})
	}
}

// prune forgets a tree in which nothing is left.
func (x *Index[T]) prune(parent place) {
	if t := x.trees[parent]; t.blocks+t.notes == 0 {
		delete(x.trees, parent)
	}
}

// Children is the number of blocks that continue a parent.
func (x *Index[T]) Children(s Space, parent Key) int {
	if t := x.trees[place{s, parent}]; t != nil {
		return t.blocks
	}
	return 0
}

// Behind is the tree of the blocks that continue a parent, valid until the index changes.
func (x *Index[T]) Behind(s Space, parent Key) Branch {
	if t := x.trees[place{s, parent}]; t != nil {
		return Branch{node: &t.root}
	}
	return Branch{}
}

// Beginning are the blocks that e begins with, e itself excepted: they say nothing that it does not.
func (x *Index[T]) Beginning(e Entry) (shorter []Entry) {
	return x.Behind(e.Space, e.Parent).Beginning(e)
}

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
