package grammar

import (
	"encoding/binary"
	"slices"
	"sync"
)

// Bounds of what a grammar remembers and of the work for one mask. What lies beyond the last two is not allowed, so that
// an answer is never wrong, but may be poorer.
const (
	mostStates = 4096   // remembered at once
	mostWays   = 2000   // in which a text so far can be read
	mostSteps  = 50_000 // ways that are followed for one mask
)

// way is what is still to come in one reading of the text so far: a form, how far it is, and what follows it.
type way struct {
	node *node
	at   int // of a sequence, its next part; of a repeat or array, the count; of an object, the next member and whether one came
	next *way
	id   uint64
	like *way // the way that no token can tell from this one, since counters are far from their ends; itself if there is none
}

type wayKey struct {
	node *node
	at   int
	next *way
}

// state is what can come next: ways that begin with a byte.
type state struct {
	ways     []*way
	complete bool
	next     [256]*state // as far as computed
	mask     []uint64    // nil: not computed
	like     string      // the same for states that no token can tell apart
}

var dead = &state{}

// automaton computes states as they are reached and remembers them. Equal ones are one.
type automaton struct {
	mu     sync.Mutex
	first  *node
	made   uint64
	ways   map[wayKey]*way
	states map[string]*state
	masks  map[string][]uint64 // by the states' likeness
	far    int                 // repetitions that no token reaches
	steps  int                 // ways that were followed for the mask under way
}

func newAutomaton(first *node, longest int) *automaton {
	return &automaton{first: first, far: longest + 1, masks: map[string][]uint64{}, ways: map[wayKey]*way{}, states: map[string]*state{}}
}

func (a *automaton) push(n *node, at int, next *way) *way {
	key := wayKey{n, at, next}
	w, ok := a.ways[key]
	if !ok {
		a.made++
		w = &way{node: n, at: at, next: next, id: a.made}
		a.ways[key] = w
		w.like = a.likeness(w)
	}
	return w
}

// likeness sets counters back to where no token can see a difference: each repetition takes a byte at least.
func (a *automaton) likeness(w *way) *way {
	at, next := w.at, w.next
	if n := w.node; n.kind == repeat && n.most != unbounded && at > n.least && n.most-at > a.far {
		at = n.least
	}
	if next != nil {
		next = next.like
	}
	if at == w.at && next == w.next {
		return w
	}
	return a.push(w.node, at, next)
}

func (a *automaton) start() *state { return a.settle([]*way{a.push(a.first, 0, nil)}) }

// step returns the state behind a byte.
func (a *automaton) step(from *state, b byte) *state {
	if to := from.next[b]; to != nil {
		return to
	}
	if a.steps > mostSteps {
		return dead
	}
	a.steps += 1 + len(from.ways)
	var behind []*way
	for _, w := range from.ways {
		if w.node.bytes[b] {
			behind = append(behind, w.next)
		}
	}
	to := dead
	if len(behind) > 0 {
		to = a.settle(behind)
	}
	from.next[b] = to
	return to
}

// settle opens ways until all begin with a byte.
func (a *automaton) settle(open []*way) *state {
	s, seen := &state{}, map[*way]bool{}
	for len(open) > 0 {
		w := open[len(open)-1]
		open = open[:len(open)-1]
		if w == nil {
			s.complete = true
			continue
		}
		if seen[w] {
			continue
		}
		if seen[w] = true; len(seen) > mostWays {
			return dead
		}
		if w.node.kind == class {
			s.ways = append(s.ways, w)
			continue
		}
		open = a.open(w, open)
	}
	a.steps += len(seen)
	return a.remember(s)
}

func (a *automaton) remember(s *state) *state {
	if len(s.ways) == 0 && !s.complete {
		return dead
	}
	key, alike := keyOf(s, func(w *way) uint64 { return w.id }), keyOf(s, func(w *way) uint64 { return w.like.id })
	s.like = alike
	if known, ok := a.states[key]; ok {
		return known
	}
	if len(a.states) >= mostStates || len(a.ways) >= 16*mostStates {
		clear(a.states)
		clear(a.ways)
		clear(a.masks)
	}
	a.states[key] = s
	return s
}

// keyOf is a state by the ids of its ways.
func keyOf(s *state, id func(*way) uint64) string {
	ids := make([]uint64, len(s.ways))
	for i, w := range s.ways {
		ids[i] = id(w)
	}
	slices.Sort(ids)
	key := make([]byte, 0, 8*len(ids)+1)
	for _, id := range slices.Compact(ids) {
		key = binary.LittleEndian.AppendUint64(key, id)
	}
	if s.complete {
		key = append(key, 1)
	}
	return string(key)
}

// open adds the ways in which a form can go on.
func (a *automaton) open(w *way, ways []*way) []*way {
	n := w.node
	switch n.kind {
	case sequence:
		switch {
		case w.at >= len(n.parts):
			return append(ways, w.next)
		case w.at == len(n.parts)-1:
			return append(ways, a.push(n.parts[w.at], 0, w.next))
		}
		return append(ways, a.push(n.parts[w.at], 0, a.push(n, w.at+1, w.next)))
	case choice:
		for _, part := range n.parts {
			if part.possible {
				ways = append(ways, a.push(part, 0, w.next))
			}
		}
	case repeat:
		if w.at >= n.least {
			ways = append(ways, w.next)
		}
		if (n.most == unbounded || w.at < n.most) && n.item.possible {
			ways = append(ways, a.push(n.item, 0, a.push(n, n.clamp(w.at+1), w.next)))
		}
	case object:
		return a.openObject(w, ways)
	case array:
		return a.openArray(w, ways)
	}
	return ways
}

func (a *automaton) openObject(w *way, ways []*way) []*way {
	n, at, between := w.node, w.at/2, space
	if w.at%2 == 1 {
		between = comma
	}
	for ; at < len(n.members); at++ {
		m := n.members[at]
		if m.form.possible {
			ways = append(ways, a.push(between, 0, a.push(m.form, 0, a.push(n, 2*(at+1)+1, w.next))))
		}
		if m.required {
			return ways
		}
	}
	if n.extra != nil && n.extra.possible {
		ways = append(ways, a.push(between, 0, a.push(n.extra, 0, a.push(n, 2*at+1, w.next))))
	}
	return append(ways, a.push(closeObject, 0, w.next))
}

func (a *automaton) openArray(w *way, ways []*way) []*way {
	n, between := w.node, space
	if w.at > 0 {
		between = comma
	}
	if item := n.element(w.at); item != nil && item.possible && (n.most == unbounded || w.at < n.most) {
		ways = append(ways, a.push(between, 0, a.push(item, 0, a.push(n, n.clamp(w.at+1), w.next))))
	}
	if w.at >= n.least {
		ways = append(ways, a.push(closeArray, 0, w.next))
	}
	return ways
}
