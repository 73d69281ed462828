package tokenizer

// Regular expressions, in the part of Oniguruma's language that vocabularies use. They are compiled
// to a program for the matcher in match.go. What is not known here is refused, never read differently.

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

type opcode int

const (
	opClass opcode = iota // one character of class
	opSplit               // go on at next, or else at other
	opJump
	opLook   // what follows does or doesn't match the part at next, or comes after a character of class; go on at other
	opAtomic // the part at next, without ever coming back into it; go on at other
	opPlace  // the beginning or the end of a line or of the text
	opEnd
)

type instruction struct {
	op          opcode
	class       class
	next, other int
	memo        int  // which memory of the matcher, for opSplit, opLook and opAtomic
	negated     bool // opLook
	behind      bool
	place       byte // opPlace: ^ $ A z
}

const (
	maxInstructions = 4000
	maxRepeats      = 1000
	maxGroupDepth   = 100
)

// newPattern reads a regular expression of a tokenizer.json.
func newPattern(source string) (pattern, error) { return compile(source) }

func compile(source string) (*regex, error) {
	c := &compiler{source: source}
	if err := c.alternatives(); err != nil {
		return nil, fmt.Errorf("regular expression %.200q: %w", source, err)
	}
	if c.at < len(source) {
		return nil, fmt.Errorf("regular expression %.200q: %q has no beginning", source, source[c.at])
	}
	c.emit(instruction{op: opEnd})
	return &regex{program: c.program, memories: c.memories, automaton: newAutomaton(c.program)}, nil
}

type compiler struct {
	source string
	at     int
	fold   bool
	depth  int
	assembler
	before rune            // the character that the last atom was, where case doesn't matter; 0: another atom
	folds  map[rune]string // see multiFolds
}

func (c *compiler) accept(text string) bool {
	if !strings.HasPrefix(c.source[c.at:], text) {
		return false
	}
	c.at += len(text)
	return true
}

// alternatives are a|b|c, up to a bracket or the end.
func (c *compiler) alternatives() error {
	if c.depth++; c.depth > maxGroupDepth {
		return fmt.Errorf("brackets deeper than %d", maxGroupDepth)
	}
	defer func() { c.depth-- }()
	var ends []int
	for {
		start := c.here()
		if err := c.sequence(); err != nil {
			return err
		}
		if !c.accept("|") {
			break
		}
		c.before = 0
		c.insert(start, instruction{op: opSplit, next: start + 1})
		ends = append(ends, c.emit(instruction{op: opJump}))
		c.program[start].other = c.here()
	}
	for _, end := range ends {
		c.program[end].next = c.here()
	}
	return nil
}

func shiftTarget(target, at int) int {
	if target >= at {
		return target + 1
	}
	return target
}

func (c *compiler) sequence() error {
	for c.at < len(c.source) && c.source[c.at] != '|' && c.source[c.at] != ')' {
		start, from := c.here(), c.at
		if err := c.atom(); err != nil {
			return err
		}
		if err := c.quantifiers(start, from); err != nil {
			return err
		}
		if c.here() > maxInstructions {
			return fmt.Errorf("it is longer than %d steps", maxInstructions)
		}
	}
	return nil
}

func (c *compiler) atom() error {
	before := c.before
	if c.source[c.at] == '(' {
		return c.group()
	}
	c.before = 0
	switch ch := c.source[c.at]; ch {
	case '[':
		set, err := c.set()
		c.emit(instruction{op: opClass, class: set})
		return err
	case '.':
		c.at++
		c.emit(instruction{op: opClass, class: newClass(runeSet{{'\n', '\n'}}.complement())})
		return nil
	case '^', '$':
		c.at++
		c.emit(instruction{op: opPlace, place: ch})
		return nil
	case '\\':
		return c.escapedAtom(before)
	case '*', '+', '?', '{':
		return fmt.Errorf("%q repeats nothing", ch)
	}
	r, n := utf8.DecodeRuneInString(c.source[c.at:])
	c.at += n
	return c.literalRune(before, r)
}

func (c *compiler) escapedAtom(before rune) error {
	if c.at+1 < len(c.source) && strings.IndexByte("Az", c.source[c.at+1]) >= 0 {
		c.emit(instruction{op: opPlace, place: c.source[c.at+1]})
		c.at += 2
		return nil
	}
	set, r, err := c.escape()
	if err != nil {
		return err
	}
	if set == nil {
		return c.literalRune(before, r)
	}
	c.emit(instruction{op: opClass, class: newClass(set)})
	return nil
}

// literalRune compiles one character. Where case doesn't matter it may be one with the character before it.
func (c *compiler) literalRune(before, r rune) error {
	if c.fold && before != 0 {
		if err := c.checkPair(before, r); err != nil {
			return err
		}
	}
	if c.fold {
		c.before = r
	}
	set, err := c.rangeSet(r, r)
	c.emit(instruction{op: opClass, class: newClass(set)})
	return err
}

func (c *compiler) group() error {
	fold := c.fold
	defer func() { c.fold = fold }()
	switch {
	case c.accept("(?:"):
		return c.closeGroup()
	case c.accept("(?i:"):
		c.fold = true
		return c.closeGroup()
	case c.accept("(?-i:"):
		c.fold = false
		return c.closeGroup()
	case c.accept("(?="):
		return c.subprogram(instruction{op: opLook})
	case c.accept("(?!"):
		return c.subprogram(instruction{op: opLook, negated: true})
	case c.accept("(?>"):
		return c.subprogram(instruction{op: opAtomic})
	case c.accept("(?<="):
		return c.lookBehind(false)
	case c.accept("(?<!"):
		return c.lookBehind(true)
	case strings.HasPrefix(c.source[c.at:], "(?"):
		return fmt.Errorf("%.5q is not supported", c.source[c.at:])
	}
	c.at++
	return c.closeGroup()
}

func (c *compiler) closeGroup() error {
	err := c.alternatives()
	if err == nil && !c.accept(")") {
		err = fmt.Errorf("a bracket is not closed")
	}
	return err
}

// subprogram compiles a group that the matcher runs on its own.
func (c *compiler) subprogram(i instruction) error {
	at := c.emit(i)
	c.program[at].next = c.here()
	err := c.closeGroup()
	c.emit(instruction{op: opEnd})
	c.program[at].other = c.here()
	return err
}

// lookBehind compiles a look at the character before a place; more than one character is not supported.
func (c *compiler) lookBehind(negated bool) error {
	start := c.here()
	if err := c.closeGroup(); err != nil {
		return err
	}
	if c.here() != start+1 || c.program[start].op != opClass {
		return fmt.Errorf("a look behind at anything but one character is not supported")
	}
	set := c.program[start].class
	c.program = c.program[:start]
	at := c.emit(instruction{op: opLook, class: set, negated: negated, behind: true})
	c.program[at].other = c.here()
	return nil
}
