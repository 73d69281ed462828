package kv

import "slices"

// A tree joins the blocks behind one parent by their tokens: blocks that begin alike share its branches. What it costs
// to go along a prompt in it does not depend on how many blocks there are.

// node is a run of tokens that all blocks below it have.
type node struct {
	label []Tag         // of the tokens behind the node above
	ends  []*Entry      // blocks of which these are the last tokens known
	next  map[Tag]*node // by the first tag of their labels
	up    *node
}

// add enters a block below n. Tags are those of its tokens behind n.
func (n *node) add(tags []Tag, e *Entry) {
	for len(tags) > 0 {
		child := n.next[tags[0]]
		if child == nil {
			child = &node{label: tags}
			n.link(child)
		}
		common := Common(child.label, tags)
		if common < len(child.label) {
			child = child.split(common)
		}
		n, tags = child, tags[common:]
	}
	n.ends = append(n.ends, e)
}

func (n *node) link(child *node) {
	if n.next == nil {
		n.next = map[Tag]*node{}
	}
	child.up = n
	n.next[child.label[0]] = child
}

// split puts a node in front of n that has the first tags of its label, and returns it.
func (n *node) split(at int) *node {
	front := &node{label: n.label[:at]}
	n.up.link(front)
	n.label = n.label[at:]
	front.link(n)
	return front
}

// remove takes a block out again and joins what it kept apart.
func (n *node) remove(tags []Tag, e *Entry) {
	for len(tags) > 0 {
		n = n.next[tags[0]]
		tags = tags[len(n.label):]
	}
	n.ends = slices.DeleteFunc(n.ends, func(other *Entry) bool { return other == e })
	for n.up != nil && len(n.ends) == 0 && len(n.next) == 0 {
		delete(n.up.next, n.label[0])
		n = n.up
	}
	if n.up != nil && len(n.ends) == 0 && len(n.next) == 1 {
		n.join()
	}
}

// join makes one of a node without blocks of its own and the only one below it.
func (n *node) join() {
	for _, child := range n.next {
		child.label = slices.Concat(n.label, child.label)
		n.up.link(child)
	}
}

// Branch is a place in a tree: behind a parent and some tokens. It is valid until the tree changes.
type Branch struct {
	node *node
	at   int // tags of the node's label that lie behind
}

// Next goes on by one token. It returns false if no block has that token there.
func (b Branch) Next(tag Tag) (Branch, bool) {
	if b.node == nil {
		return b, false
	}
	if b.at < len(b.node.label) {
		return Branch{b.node, b.at + 1}, b.node.label[b.at] == tag
	}
	child := b.node.next[tag]
	return Branch{child, 1}, child != nil
}

// Single tells whether all blocks that go on from here do so with the same token.
func (b Branch) Single() bool {
	return b.node == nil || b.at < len(b.node.label) || len(b.node.next) < 2
}

// Along goes on by as many of the tokens as there are, and returns how many those were.
func (b Branch) Along(tags []Tag) (end Branch, n int) {
	for _, tag := range tags {
		next, ok := b.Next(tag)
		if !ok {
			break
		}
		b, n = next, n+1
	}
	return b, n
}

// Entry is a block that has all the tokens up to here, tokens of them, or all but the last: one that ends here if there is
// one.
func (b Branch) Entry(tokens int) (e Entry, ok bool) {
	n := b.node
	if n == nil {
		return e, false
	}
	if b.at == len(n.label) {
		for _, end := range n.ends {
			if len(end.Tags) == tokens {
				return *end, true
			}
		}
	}
	for len(n.next) > 0 {
		for _, child := range n.next {
			n = child
			break
		}
	}
	for _, end := range n.ends {
		if len(end.Tags) > len(e.Tags) {
			e = *end
		}
	}
	return e, len(e.Tags) > 0
}

// Beginning are the blocks from here on that e begins with, but those of its own length: they say nothing that it
// does not.
func (b Branch) Beginning(e Entry) (shorter []Entry) {
	for _, tag := range e.known() {
		next, ok := b.Next(tag)
		if !ok {
			break
		}
		if b = next; b.at < len(b.node.label) {
			continue
		}
		for _, end := range b.node.ends {
			if len(end.Tags) > 0 && len(end.Tags) < len(e.Tags) {
				shorter = append(shorter, *end)
			}
		}
	}
	return shorter
}

// Common is the number of equal tags at the beginning of both lists.
func Common(a, b []Tag) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
