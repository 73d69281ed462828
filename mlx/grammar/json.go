package grammar

import (
	"bytes"
	"encoding/json"
	"sort"
	"strings"
	"unicode/utf8"
)

// The forms of JSON that every grammar shares. White space is none, one space, or one newline and an indentation.
var (
	space       = either(join(), oneByte(' '), join(oneByte('\n'), times(oneByte(' '), 0, mostIndent)))
	comma       = join(oneByte(','), space)
	colon       = join(oneByte(':'), space)
	closeObject = join(space, oneByte('}'))
	closeArray  = join(space, oneByte(']'))

	hex       = set('0', '9', 'a', 'f', 'A', 'F')
	tail      = set(0x80, 0xBF)
	wide      = wideCharacter()
	character = either(set(0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F), wide, escape())

	digit    = set('0', '9')
	whole    = either(oneByte('0'), join(set('1', '9'), times(digit, 0, mostDigits-1)))
	sign     = times(oneByte('-'), 0, 1)
	fraction = times(join(oneByte('.'), times(digit, 1, mostDigits)), 0, 1)
	exponent = times(join(set('e', 'e', 'E', 'E'), times(set('+', '+', '-', '-'), 0, 1), times(digit, 1, 2)), 0, 1)
	number   = join(sign, whole, fraction, exponent)
	integer  = join(sign, whole)

	anyString = text(0, unbounded)
	anyObject = &node{kind: object}
	anyArray  = &node{kind: array, most: unbounded}
	anyValue  = value()
)

const (
	mostIndent = 20
	mostDigits = 20
)

// value closes the circle of JSON's forms: a value is an array or object of values, too.
func value() *node {
	v := either(anyString, number, join(oneByte('{'), anyObject), join(oneByte('['), anyArray), literal("true"), literal("false"), literal("null"))
	anyObject.extra = join(anyString, colon, v)
	anyArray.item = v
	for _, n := range []*node{space, comma, colon, closeObject, closeArray, integer, wide, v} {
		mark(n)
	}
	return v
}

func text(least, most int) *node {
	return join(oneByte('"'), times(character, least, most), oneByte('"'))
}

// wideCharacter is a character of more than one byte in UTF-8.
func wideCharacter() *node {
	return either(
		join(set(0xC2, 0xDF), tail),
		join(oneByte(0xE0), set(0xA0, 0xBF), tail),
		join(set(0xE1, 0xEC, 0xEE, 0xEF), tail, tail),
		join(oneByte(0xED), set(0x80, 0x9F), tail),
		join(oneByte(0xF0), set(0x90, 0xBF), tail, tail),
		join(set(0xF1, 0xF3), tail, tail, tail),
		join(oneByte(0xF4), set(0x80, 0x8F), tail, tail))
}

// escape is a character as an escape: two of them for one beyond the basic plane.
func escape() *node {
	d := set('d', 'd', 'D', 'D')
	return join(oneByte('\\'), either(
		set('"', '"', '\\', '\\', '/', '/', 'b', 'b', 'f', 'f', 'n', 'n', 'r', 'r', 't', 't'),
		join(oneByte('u'), either(
			join(set('0', '9', 'a', 'c', 'A', 'C', 'e', 'f', 'E', 'F'), hex, hex, hex),
			join(d, set('0', '7'), hex, hex),
			join(d, set('8', '9', 'a', 'b', 'A', 'B'), hex, hex, literal(`\u`), d, set('c', 'f', 'C', 'F'), hex, hex)))))
}

// spelled is the one way in which a value is written where a schema gives it.
func spelled(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// nameBeside is a property's name that is none of the given ones. It has no escapes: they could spell those.
func nameBeside(names []string) *node {
	sort.Strings(names)
	return join(oneByte('"'), beside(names))
}

// beside is the rest of such a name, where the given rests are excluded: it branches off, or is longer or shorter.
func beside(rests []string) *node {
	plain := either(set(0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F), wide)
	if len(rests) == 0 {
		return join(times(plain, 0, unbounded), oneByte('"'))
	}
	following := map[string][]string{}
	ended := false
	for _, rest := range rests {
		if rest == "" {
			ended = true
			continue
		}
		_, bytes := utf8.DecodeRuneInString(rest)
		first := rest[:bytes]
		following[first] = append(following[first], rest[len(first):])
	}
	free := set(0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F)
	n := either()
	wides := false
	for first, rests := range following {
		if len(first) > 1 {
			wides = true // characters of more than one byte are excluded here, as a whole
			continue
		}
		if free.bytes[first[0]] {
			free.bytes[first[0]] = false
			n.parts = append(n.parts, join(oneByte(first[0]), beside(rests)))
		}
	}
	sort.Slice(n.parts, func(i, j int) bool { return firstByte(n.parts[i]) < firstByte(n.parts[j]) })
	if !wides {
		n.parts = append(n.parts, join(wide, beside(nil)))
	}
	n.parts = append(n.parts, join(free, beside(nil)))
	if !ended {
		n.parts = append(n.parts, oneByte('"'))
	}
	return n
}

func firstByte(n *node) int {
	for b, in := range n.parts[0].bytes {
		if in {
			return b
		}
	}
	return 0
}
