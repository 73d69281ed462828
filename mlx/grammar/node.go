// Package grammar holds what a model writes to a form: a JSON Schema becomes an automaton over bytes, and a walk through
// it tells which tokens of a vocabulary may come next.
//
// Invariants:
//   - What is written up to an end that a walk allows is a valid document, and a walk allows an end nowhere else.
//   - Work is bounded: where a schema leaves very many ways to go on, some are left out, and an answer may come to a place
//     from which none is left. It fails there; it is never wrong.
//   - A document's properties come in the schema's order, undeclared ones behind them, and white space is bounded.
//   - What a schema asks for and this package can't hold an answer to is refused by name and place, never ignored.
//
// A Grammar is safe for concurrent use; a Walk belongs to one answer.
package grammar

type kind int

const (
	class    kind = iota // one byte of a set
	sequence             // its parts, one after the other
	choice               // one of its parts
	repeat               // an item, between least and most times
	object               // the members of an object and its end
	array                // the elements of an array and its end
)

const unbounded = -1

// node is a part of a form. It does not change once its grammar is compiled.
type node struct {
	kind     kind
	bytes    [256]bool
	parts    []*node
	item     *node // of a repeat; of an array, the elements behind its parts; nil: none
	members  []member
	extra    *node // an object's undeclared member; nil: none
	least    int
	most     int
	possible bool // some text is of this form
}

// member is a declared property of an object.
type member struct {
	form     *node // its name, the colon and its value
	required bool
}

func set(spans ...byte) *node {
	n := &node{kind: class}
	for i := 0; i < len(spans); i += 2 {
		for b := int(spans[i]); b <= int(spans[i+1]); b++ {
			n.bytes[b] = true
		}
	}
	return n
}

func oneByte(b byte) *node { return bytesAlone[b] }

// bytesAlone are the forms of single bytes, which all grammars share.
var bytesAlone = func() (all [256]*node) {
	for b := range all {
		all[b] = set(byte(b), byte(b))
		all[b].possible = true
	}
	return all
}()

func literal(text string) *node {
	n := &node{kind: sequence}
	for i := range len(text) {
		n.parts = append(n.parts, oneByte(text[i]))
	}
	return n
}

func join(parts ...*node) *node { return &node{kind: sequence, parts: parts} }

func either(parts ...*node) *node { return &node{kind: choice, parts: parts} }

func times(item *node, least, most int) *node {
	return &node{kind: repeat, item: item, least: least, most: most}
}

// clamp keeps counters from growing where they decide nothing any more, so that the states behind are the same.
func (n *node) clamp(count int) int {
	if n.most == unbounded {
		return min(count, max(1, n.least, len(n.parts)))
	}
	return count
}

// mark finds out which forms are possible at all, from the smallest up: parts come before what has them, except in circles. It reports whether the first one is.
func mark(first *node) bool {
	var all []*node
	seen := map[*node]bool{}
	var collect func(n *node)
	collect = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, part := range n.parts {
			collect(part)
		}
		for _, m := range n.members {
			collect(m.form)
		}
		collect(n.item)
		collect(n.extra)
		all = append(all, n)
	}
	collect(first)
	for changed := true; changed; {
		changed = false
		for _, n := range all {
			if !n.possible && n.becomesPossible() {
				n.possible, changed = true, true
			}
		}
	}
	return first.possible
}

func (n *node) becomesPossible() bool {
	switch n.kind {
	case class:
		return n.bytes != [256]bool{}
	case choice:
		for _, part := range n.parts {
			if part.possible {
				return true
			}
		}
		return false
	case repeat:
		return n.least == 0 || n.item.possible
	case object:
		for _, m := range n.members {
			if m.required && !m.form.possible {
				return false
			}
		}
		return true
	case array:
		for i := range n.least {
			if item := n.element(i); item == nil || !item.possible {
				return false
			}
			if i >= len(n.parts) {
				break
			}
		}
		return n.most == unbounded || n.least <= n.most
	}
	for _, part := range n.parts {
		if !part.possible {
			return false
		}
	}
	return true
}

// element is the form of an array's element, or nil if there is none.
func (n *node) element(i int) *node {
	if i < len(n.parts) {
		return n.parts[i]
	}
	return n.item
}
