package tokenizer

// The matcher: it tries alternatives in their order, as such patterns mean it, and remembers from where it
// failed. So no place in the text is tried twice for one step of the program, and the time grows with the
// text's length, whatever the pattern.

import (
	"sync"
	"unicode/utf8"
)

// regex is a compiled pattern.
type regex struct {
	program   []instruction
	memories  int
	automaton *automaton // nil: the matcher does it all
	matchers  sync.Pool  // of *matcher
}

func (x *regex) each(text string, match func(start, end int)) {
	at := 0
	if x.automaton != nil {
		at = x.automaton.each(text, match)
	}
	if at <= len(text) {
		x.eachFrom(text, at, match)
	}
}

// eachFrom searches from a place on with a matcher.
func (x *regex) eachFrom(text string, at int, match func(start, end int)) {
	m, _ := x.matchers.Get().(*matcher)
	if m == nil {
		m = &matcher{}
	}
	defer x.matchers.Put(m)
	m.begin(x, text)
	for at <= len(text) {
		end := m.run(0, at)
		if end > at {
			match(at, end)
			at = end
			continue
		}
		at += width(text, at) // an empty match cuts nothing
	}
}

// width is the length of the character at a place, 1 at the end.
func width(text string, at int) int {
	_, n := utf8.DecodeRuneInString(text[at:])
	return max(n, 1)
}

// matcher is the state of one search through a text.
type matcher struct {
	program  []instruction
	text     string
	failures []uint64 // a bit for each memory and place
	places   int
	stack    []choice
	trail    []int // bits of the splits that the current way went through
}

// choice is where to go on if the current way fails.
type choice struct{ pc, at, trail int }

func (m *matcher) begin(x *regex, text string) {
	m.program, m.text, m.places = x.program, text, len(text)+1
	words := (x.memories*m.places + 63) / 64
	if cap(m.failures) < words {
		m.failures = make([]uint64, words)
	}
	m.failures = m.failures[:words]
	clear(m.failures)
	m.stack, m.trail = m.stack[:0], m.trail[:0]
}

func (m *matcher) bit(memo, at int) int { return memo*m.places + at }
func (m *matcher) isSet(bit int) bool   { return m.failures[bit/64]&(1<<(bit%64)) != 0 }
func (m *matcher) set(bit int)          { m.failures[bit/64] |= 1 << (bit % 64) }
func (m *matcher) unset(bit int)        { m.failures[bit/64] &^= 1 << (bit % 64) }
func (m *matcher) split(i *instruction, at int) {
	m.trail = append(m.trail, m.bit(i.memo, at))
	m.set(m.bit(i.memo, at))
	m.stack = append(m.stack, choice{i.other, at, len(m.trail)})
}

// run runs the program from a step and a place on and returns where the match ends, or -1.
func (m *matcher) run(pc, at int) int {
	stack, trail := len(m.stack), len(m.trail)
	for {
		next, to := m.step(pc, at)
		if next == done {
			for _, bit := range m.trail[trail:] {
				m.unset(bit) // this way did not fail
			}
			m.stack, m.trail = m.stack[:stack], m.trail[:trail]
			return to
		}
		if next == failed {
			if len(m.stack) == stack {
				m.trail = m.trail[:trail]
				return -1
			}
			last := m.stack[len(m.stack)-1]
			m.stack, m.trail = m.stack[:len(m.stack)-1], m.trail[:last.trail]
			next, to = last.pc, last.at
		}
		pc, at = next, to
	}
}

// What a step answers in place of the next one.
const (
	done   = -1
	failed = -2
)

// step does one instruction and returns the next and its place.
func (m *matcher) step(pc, at int) (int, int) {
	i := &m.program[pc]
	switch i.op {
	case opClass:
		if at == len(m.text) {
			return failed, at
		}
		r, n := rune(m.text[at]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(m.text[at:])
		}
		if !i.class.has(r) {
			return failed, at
		}
		return pc + 1, at + n
	case opSplit:
		if m.isSet(m.bit(i.memo, at)) {
			return failed, at
		}
		m.split(i, at)
		return i.next, at
	case opJump:
		return i.next, at
	case opLook:
		if m.lookAround(i, at) == i.negated {
			return failed, at
		}
		return i.other, at
	case opAtomic:
		if end := m.run(i.next, at); end >= 0 {
			return i.other, end
		}
		return failed, at
	case opPlace:
		if m.isPlace(i.place, at) {
			return pc + 1, at
		}
		return failed, at
	}
	return done, at
}

// lookAround tells whether the part of a look-around matches. Either answer is remembered.
func (m *matcher) lookAround(i *instruction, at int) bool {
	if i.behind {
		r, n := utf8.DecodeLastRuneInString(m.text[:at])
		return n > 0 && i.class.has(r)
	}
	no, yes := m.bit(i.memo, at), m.bit(i.memo+1, at)
	if !m.isSet(no) && !m.isSet(yes) {
		answer := no
		if m.run(i.next, at) >= 0 {
			answer = yes
		}
		m.set(answer)
	}
	return m.isSet(yes)
}

func (m *matcher) isPlace(place byte, at int) bool {
	atStart, atEnd := at == 0, at == len(m.text)
	switch place {
	case 'A':
		return atStart
	case 'z':
		return atEnd
	case '^':
		return atStart || m.text[at-1] == '\n' && !atEnd
	}
	return atEnd || m.text[at] == '\n'
}
