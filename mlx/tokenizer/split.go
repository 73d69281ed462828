package tokenizer

// Pre-tokenizers: they cut a text into the words that are merged one by one. Byte-level spelling is left to
// the merging, so every splitter here sees plain text.

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is a part of a text; first tells that it begins where the original text begins.
type piece struct {
	text  string
	first bool
}

type splitter interface {
	// split calls visit for the parts of p that are kept, in order, none of them empty.
	split(p piece, visit func(piece))
}

// noSplit cuts nothing.
type noSplit struct{}

func (noSplit) split(p piece, visit func(piece)) {
	if p.text != "" {
		visit(p)
	}
}

// splitters are applied in turn: each cuts what the one before it left.
type splitters []splitter

func (s splitters) split(p piece, visit func(piece)) {
	for len(s) > 0 {
		last, then := s[len(s)-1], visit
		visit = func(part piece) { last.split(part, then) }
		s = s[:len(s)-1]
	}
	if p.text != "" {
		visit(p)
	}
}

// with appends a step, the steps of a sequence one by one.
func (s splitters) with(step splitter) splitters {
	if steps, ok := step.(splitters); ok {
		return append(s, steps...)
	}
	return append(s, step)
}

// prefixSpace makes every piece begin with a space, as ByteLevel does with add_prefix_space.
type prefixSpace struct{}

func (prefixSpace) split(p piece, visit func(piece)) {
	if !strings.HasPrefix(p.text, " ") {
		p.text = " " + p.text
	}
	visit(p)
}

// metaspace writes spaces as a visible character and may cut before each of them.
type metaspace struct {
	mark   string
	always bool // every piece begins with a mark
	first  bool // the first one does
	cut    bool
}

func (m metaspace) split(p piece, visit func(piece)) {
	p.text = strings.ReplaceAll(p.text, " ", m.mark)
	if (m.always || m.first && p.first) && !strings.HasPrefix(p.text, m.mark) {
		p.text = m.mark + p.text
	}
	if !m.cut {
		noSplit{}.split(p, visit)
		return
	}
	cutter{literal(m.mark), mergedWithNext, false}.split(p, visit)
}

// behaviour says what becomes of the matches that a text is cut at.
type behaviour int

const (
	removed behaviour = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous
)

// cutter cuts at the matches of a pattern, or with invert at what lies between them.
type cutter struct {
	pattern   pattern
	behaviour behaviour
	invert    bool
}

func (c cutter) split(p piece, visit func(piece)) {
	j := joiner{text: p.text, first: p.first, behaviour: c.behaviour, visit: visit}
	done := 0
	c.pattern.each(p.text, func(start, end int) {
		if done < start {
			j.add(done, start, c.invert)
		}
		j.add(start, end, !c.invert)
		done = end
	})
	if done < len(p.text) {
		j.add(done, len(p.text), c.invert)
	}
	j.flush()
}

// joiner puts matches and the text between them together again as the behaviour demands. It holds one piece
// back.
type joiner struct {
	text       string
	first      bool
	behaviour  behaviour
	visit      func(piece)
	start, end int  // of the piece held back
	open       bool // whether there is one
	match      bool // whether the last span was a match
}

func (j *joiner) add(start, end int, match bool) {
	if j.open && j.joins(match) {
		j.end = end
	} else {
		j.flush()
		j.start, j.end, j.open = start, end, true
	}
	if match && j.behaviour == removed {
		j.open = false
	}
	j.match = match
}

// joins tells whether the next span continues the piece held back.
func (j *joiner) joins(match bool) bool {
	switch j.behaviour {
	case mergedWithPrevious:
		return match && !j.match
	case mergedWithNext:
		return !match && j.match
	case contiguous:
		return match == j.match
	default:
		return false
	}
}

func (j *joiner) flush() {
	if j.open && j.start < j.end {
		j.visit(piece{j.text[j.start:j.end], j.first && j.start == 0})
	}
	j.open = false
}

// pattern finds matches from left to right that do not overlap.
type pattern interface {
	each(text string, match func(start, end int))
}

// literal matches itself.
type literal string

func (l literal) each(text string, match func(start, end int)) {
	if l == "" {
		return
	}
	for at := 0; ; {
		i := strings.Index(text[at:], string(l))
		if i < 0 {
			return
		}
		match(at+i, at+i+len(l))
		at += i + len(l)
	}
}

// numeric matches each character that Rust takes for a number.
type numeric struct{}

func (numeric) each(text string, match func(start, end int)) {
	for i, r := range text {
		if r >= '0' && r <= '9' || r >= utf8.RuneSelf && unicode.Is(numbersOfRust, r) {
			match(i, i+utf8.RuneLen(r))
		}
	}
}
