package tokenizer

// Patterns that need no memory of the way are turned into a table when they are loaded: a state is the list
// of places in the program where the search may be, the preferred first, and each character leads to the next
// one. A search is one look-up for each character. What is looked at ahead may be one character; other
// patterns go to the matcher alone.

import (
	"encoding/binary"
	"unicode/utf8"
)

const (
	maxStates = 500
	maxVisits = 1 << 20 // steps of the program while the table is made
)

// automaton finds matches in one pass from each start.
type automaton struct {
	kinds    *runeKinds
	width    int                 // kinds of characters, and one for the end of the text
	table    []uint16            // for each state and kind: the next state twice, and one more where a match ends before the character
	rejected [utf8.RuneSelf]bool // characters that no match begins with, not even an empty one
}

const (
	deadState  = 0
	startState = 1
)

// maxLookahead is how many characters a search may look at in vain for each character of the text. Beyond
// that, and some for short texts, the matcher goes on, which never looks at a place twice.
const maxLookahead = 4

// each calls match for the matches of text and returns from where on the matcher has to search, over the end
// if nowhere.
func (a *automaton) each(text string, match func(start, end int)) int {
	budget := maxLookahead*len(text) + 1000
	for at := 0; at <= len(text); {
		for at < len(text) && text[at] < utf8.RuneSelf && a.rejected[text[at]] {
			at++
		}
		end, seen := a.longest(text, at)
		if budget -= seen - max(end, at); budget < 0 {
			return at
		}
		if end > at {
			match(at, end)
			at = end
			continue
		}
		at += width(text, at) // an empty match cuts nothing
	}
	return len(text) + 1
}

// longest returns where the match from a place on ends, or -1, and how far it had to look.
func (a *automaton) longest(text string, at int) (end, seen int) {
	end = -1
	for state := startState; state != deadState; {
		kind, n := a.width-1, 1
		if at < len(text) {
			if text[at] < utf8.RuneSelf {
				kind = int(a.kinds.latin[text[at]])
			} else {
				var r rune
				r, n = utf8.DecodeRuneInString(text[at:])
				kind = a.kinds.of(r)
			}
		}
		next := a.table[state*a.width+kind]
		if next&1 != 0 {
			end = at
		}
		state = int(next >> 1)
		at += n
	}
	return end, min(at, len(text))
}

// newAutomaton makes the table, or returns nil where it would be too large or the pattern needs more.
func newAutomaton(program []instruction) *automaton {
	if !isSimple(program) {
		return nil
	}
	kinds := newRuneKinds(program)
	if kinds == nil {
		return nil
	}
	b := &tableMaker{program: program, kinds: kinds, visited: make([]bool, len(program)), index: map[string]int{}}
	b.state(nil)
	b.state([]int{0})
	width := len(kinds.examples) + 1
	var table []uint16
	for s := 0; s < len(b.states); s++ {
		for kind := range width {
			next, ends := b.step(b.states[s], kind)
			table = append(table, uint16(next<<1|ends))
		}
		if len(b.states) > maxStates || b.visits > maxVisits {
			return nil
		}
	}
	a := &automaton{kinds: kinds, width: width, table: table}
	for c := range a.rejected {
		a.rejected[c] = table[startState*width+int(kinds.latin[c])] == deadState
	}
	return a
}

// isSimple tells whether where the search may go depends on the next character only.
func isSimple(program []instruction) bool {
	for _, i := range program {
		switch i.op {
		case opAtomic, opPlace:
			return false
		case opLook:
			if i.behind || program[i.next].op != opClass || program[i.next+1].op != opEnd {
				return false
			}
		}
	}
	return true
}

// tableMaker finds the states that can be reached.
type tableMaker struct {
	program []instruction
	kinds   *runeKinds
	states  [][]int
	index   map[string]int // the states by their places
	visited []bool         // of one step
	visits  int
}

func (b *tableMaker) state(places []int) int {
	var name []byte
	for _, pc := range places {
		name = binary.AppendUvarint(name, uint64(pc))
	}
	if s, ok := b.index[string(name)]; ok {
		return s
	}
	b.index[string(name)] = len(b.states)
	b.states = append(b.states, places)
	return len(b.states) - 1
}

// step goes from a state over a character of a kind; ends is 1 if a match ends in front of it.
func (b *tableMaker) step(places []int, kind int) (next, ends int) {
	clear(b.visited)
	w := walk{b, kind, nil, 0}
	for _, pc := range places {
		w.from(pc)
	}
	return b.state(w.next), w.matches
}

// walk follows the program in the order of its preference. What comes behind a match is of no interest.
type walk struct {
	*tableMaker
	kind    int
	next    []int
	matches int
}

func (w *walk) from(pc int) {
	if w.matches == 1 || w.visited[pc] {
		return
	}
	w.visited[pc] = true
	w.visits++
	switch i := &w.program[pc]; i.op {
	case opSplit:
		w.from(i.next)
		w.from(i.other)
	case opJump:
		w.from(i.next)
	case opLook:
		if w.holds(i.next) != i.negated {
			w.from(i.other)
		}
	case opClass:
		if w.holds(pc) {
			w.next = append(w.next, pc+1)
		}
	case opEnd:
		w.matches = 1
	}
}

// holds tells whether the characters of the kind belong to the class of an instruction.
func (w *walk) holds(pc int) bool {
	examples := w.kinds.examples
	return w.kind < len(examples) && w.program[pc].class.has(examples[w.kind])
}
