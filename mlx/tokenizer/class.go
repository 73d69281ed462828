package tokenizer

// Classes of characters in regular expressions: [^\s\p{L}], \p{Lu}, \d and their like.

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// class tells which characters belong to it, those of Latin quickly.
type class struct {
	latin [4]uint64
	set   runeSet
}

func newClass(set runeSet) class {
	c := class{set: set}
	for r := range rune(256) {
		if set.has(r) {
			c.latin[r/64] |= 1 << (r % 64)
		}
	}
	return c
}

func (c *class) has(r rune) bool {
	if r < 256 {
		return c.latin[r/64]&(1<<(r%64)) != 0
	}
	return c.set.has(r)
}

// set reads a class in square brackets.
func (c *compiler) set() (class, error) {
	c.at++
	negated := c.accept("^")
	var parts []runeRange
	for first := true; first || !strings.HasPrefix(c.source[c.at:], "]"); first = false {
		part, err := c.setPart()
		if err != nil {
			return class{}, err
		}
		parts = append(parts, part...)
	}
	c.at++
	set := newRuneSet(parts)
	if negated {
		set = set.complement()
	}
	return newClass(set), nil
}

// setPart reads a class, a character or a range.
func (c *compiler) setPart() (runeSet, error) {
	if rest := c.source[c.at:]; rest == "" {
		return nil, fmt.Errorf("a square bracket is not closed")
	} else if strings.HasPrefix(rest, "&&") || rest[0] == '[' || rest[0] == ']' {
		return nil, fmt.Errorf("%.5q in square brackets is not supported", rest)
	}
	set, low, err := c.setItem()
	if err != nil || set != nil {
		return set, err
	}
	high := low
	if rest := c.source[c.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		c.at++
		if set, high, err = c.setItem(); err != nil || set != nil || high < low {
			return nil, fmt.Errorf("a range without an end, or from a higher character to a lower one (%v)", err)
		}
	}
	return c.rangeSet(low, high)
}

const maxFoldedRange = 1 << 12 // characters of a range whose cases are looked up

// rangeSet returns the characters of a range, with their other cases where case doesn't matter.
func (c *compiler) rangeSet(low, high rune) (runeSet, error) {
	if !c.fold {
		return runeSet{{low, high}}, nil
	}
	if high-low > maxFoldedRange {
		return nil, fmt.Errorf("a range of more than %d characters in any case is not supported", maxFoldedRange)
	}
	if err := c.checkFolded(low, high); err != nil {
		return nil, err
	}
	ranges := []runeRange{{low, high}}
	for r := low; r <= high; r++ {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			ranges = append(ranges, runeRange{f, f})
		}
	}
	return newRuneSet(ranges), nil
}

// setItem reads an escape or a character.
func (c *compiler) setItem() (runeSet, rune, error) {
	if strings.HasPrefix(c.source[c.at:], `\`) {
		return c.escape()
	}
	r, n := utf8.DecodeRuneInString(c.source[c.at:])
	c.at += n
	return nil, r, nil
}

// escape reads what a backslash begins: a class, or else a character, and then the set is nil.
func (c *compiler) escape() (runeSet, rune, error) {
	if c.at+1 >= len(c.source) {
		return nil, 0, fmt.Errorf("a backslash at the end")
	}
	ch := c.source[c.at+1]
	c.at += 2
	switch ch {
	case 'p', 'P':
		set, err := c.property(ch == 'P')
		return set, 0, err
	case 's', 'd', 'w':
		return classLetter(ch), 0, nil
	case 'S', 'D', 'W':
		return classLetter(ch | 0x20).complement(), 0, nil
	case 'x', 'u':
		r, err := c.code(ch)
		return nil, r, err
	}
	if plain, ok := map[byte]rune{'n': '\n', 'r': '\r', 't': '\t', 'f': '\f', 'v': '\v', 'a': '\a', 'e': 0x1B}[ch]; ok {
		return nil, plain, nil
	}
	if ch >= utf8.RuneSelf || isNameOrDigit(ch) {
		return nil, 0, fmt.Errorf(`\%c is not supported`, ch)
	}
	return nil, rune(ch), nil
}

// classLetter is \s, \d or \w.
func classLetter(letter byte) runeSet {
	switch letter {
	case 's':
		return setOfTable(unicode.White_Space) // unchanged for many versions; oracle/unicode_tables.py holds it to the library
	case 'd':
		return setOfTable(categoryNd)
	}
	return setOfTable(wordsOfOniguruma)
}

func isNameOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// code reads the digits of \x41, \x{1F600} and \u0041.
func (c *compiler) code(kind byte) (rune, error) {
	width := map[byte]int{'x': 2, 'u': 4}[kind]
	rest := c.source[c.at:]
	digits := rest[:min(width, len(rest))]
	c.at += len(digits)
	if kind == 'x' && strings.HasPrefix(rest, "{") {
		end := max(strings.IndexByte(rest, '}'), 1)
		digits = rest[1:end]
		c.at += end + 1 - 2
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > unicode.MaxRune {
		return 0, fmt.Errorf(`\%c%s is no character`, kind, digits)
	}
	return rune(n), nil
}

// property reads the name of \p{L} or \p{^L}: a category, or a script, as the library knows them.
func (c *compiler) property(negated bool) (runeSet, error) {
	end := strings.IndexByte(c.source[c.at:], '}')
	if !strings.HasPrefix(c.source[c.at:], "{") || end < 0 {
		return nil, fmt.Errorf(`\p without a name in braces`)
	}
	name := c.source[c.at+1 : c.at+end]
	c.at += end + 1
	if strings.HasPrefix(name, "^") {
		name, negated = name[1:], !negated
	}
	table, ok := categories()[name]
	if !ok {
		table, ok = scripts()[name]
	}
	if !ok {
		return nil, fmt.Errorf(`\p{%s} is not supported`, name)
	}
	set := setOfTable(table)
	if negated {
		set = set.complement()
	}
	return set, nil
}
