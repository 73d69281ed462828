// Package exact reads JSON as it is written. The standard library matches keys without regard to case, lets
// the last of two equal keys win, and puts U+FFFD in place of bytes that are not UTF-8 and of halves of
// surrogate pairs, all in silence; here the first is not done and the others are errors that name their
// place.
package exact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Error tells what is wrong at a place such as "messages.0.content". It repeats nothing of what was sent but
// keys.
type Error struct{ Place, Problem string }

func (e *Error) Error() string {
	if e.Place == "" {
		return "body: " + e.Problem
	}
	return e.Place + ": " + e.Problem
}

// maxKeyEcho is how many bytes of a client's key an error repeats.
const maxKeyEcho = 64

// inPlace puts a key or an index before the place of an error.
func inPlace(place string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if len(place) > maxKeyEcho {
		place = strings.ToValidUTF8(place[:maxKeyEcho], "") + "…"
	}
	return &Error{strings.TrimSuffix(place+"."+e.Place, "."), e.Problem}
}

// Check refuses what is not one JSON value, and in it keys that are given twice and text that is not Unicode.
func Check(raw []byte) error {
	if !json.Valid(raw) {
		return syntax(raw)
	}
	_, err := (&checker{}).value(raw)
	return err
}

// maxValues is how many values a text may have, all arrays' and objects' together: decoded, a small one takes
// a hundred times its bytes.
const maxValues = 1_000_000

// checker counts the values that it checks.
type checker struct{ values int }

func syntax(raw []byte) error {
	var value json.RawMessage
	err := json.NewDecoder(bytes.NewReader(raw)).Decode(&value)
	if err == nil {
		return &Error{"", "it has something after its JSON value"}
	}
	var syntaxErr *json.SyntaxError
	if errors.As(err, &syntaxErr) {
		return &Error{"", fmt.Sprintf("invalid JSON at byte %d: %v", syntaxErr.Offset, syntaxErr)}
	}
	return &Error{"", fmt.Sprintf("invalid JSON: %v", err)}
}

// value checks the value that raw begins with, which is valid JSON, and returns what follows it.
func (c *checker) value(raw []byte) (rest []byte, err error) {
	if c.values++; c.values > maxValues {
		return nil, &Error{"", fmt.Sprintf("is the last of more than %d values, which is too many", maxValues)}
	}
	raw = skipSpace(raw)
	switch raw[0] {
	case '{':
		return c.object(raw)
	case '[':
		return c.array(raw)
	case '"':
		text, rest := cutString(raw)
		return rest, checkText(text)
	}
	_, rest = cutValue(raw)
	return rest, nil
}

func (c *checker) object(raw []byte) (rest []byte, err error) {
	seen := map[string]bool{}
	for raw = skipSpace(raw[1:]); raw[0] != '}'; raw = nextElement(raw) {
		text, after := cutString(raw)
		if err := checkText(text); err != nil {
			return nil, inPlace("(a key)", err)
		}
		key := unquote(text)
		if seen[key] {
			return nil, inPlace(key, &Error{"", "the key is there twice"})
		}
		seen[key] = true
		if raw, err = c.value(skipSpace(after)[1:]); err != nil {
			return nil, inPlace(key, err)
		}
	}
	return raw[1:], nil
}

func (c *checker) array(raw []byte) (rest []byte, err error) {
	raw = skipSpace(raw[1:])
	for i := 0; raw[0] != ']'; i++ {
		if raw, err = c.value(raw); err != nil {
			return nil, inPlace(strconv.Itoa(i), err)
		}
		raw = nextElement(raw)
	}
	return raw[1:], nil
}

// nextElement goes on to the next element or key, or to the bracket that ends them.
func nextElement(raw []byte) []byte {
	if raw = skipSpace(raw); raw[0] == ',' {
		return skipSpace(raw[1:])
	}
	return raw
}

// checkText refuses a string, in its quotes, that stands for no Unicode text.
func checkText(quoted []byte) error {
	if !utf8.Valid(quoted) {
		return &Error{"", "has bytes that are not UTF-8"}
	}
	for rest := quoted; ; {
		at := bytes.IndexByte(rest, '\\')
		if at < 0 {
			return nil
		}
		rest = rest[at:]
		n := escape(rest)
		if n == 0 {
			return &Error{"", "has one half of a surrogate pair, which is no character"}
		}
		rest = rest[n:]
	}
}

// escape is the length of the escape that text begins with, 0 for half of a surrogate pair.
func escape(text []byte) int {
	if text[1] != 'u' {
		return 2
	}
	if !utf16.IsSurrogate(codeUnit(text)) {
		return 6
	}
	if len(text) < 12 || text[6] != '\\' || text[7] != 'u' || utf16.DecodeRune(codeUnit(text), codeUnit(text[6:])) == utf8.RuneError {
		return 0
	}
	return 12
}

// codeUnit reads \uXXXX.
func codeUnit(text []byte) rune {
	n, _ := strconv.ParseUint(string(text[2:6]), 16, 32) // valid JSON has four digits there
	return rune(n)
}

func skipSpace(raw []byte) []byte { return bytes.TrimLeft(raw, " \t\r\n") }

// cutString cuts the string, with its quotes, that valid JSON begins with.
func cutString(raw []byte) (text, rest []byte) {
	end := 1
	for raw[end] != '"' {
		if raw[end] == '\\' {
			end++
		}
		end++
	}
	return raw[:end+1], raw[end+1:]
}

// cutValue cuts the value that valid JSON begins with.
func cutValue(raw []byte) (value, rest []byte) {
	end := 0
	for depth := 0; end < len(raw); end++ {
		switch raw[end] {
		case '"':
			text, _ := cutString(raw[end:])
			end += len(text) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 && endsValue(raw[end:]) {
			return raw[:end+1], raw[end+1:]
		}
		if depth < 0 {
			break
		}
	}
	return raw[:end], raw[end:]
}

// endsValue tells whether a value outside all brackets ends with the character that text begins with.
func endsValue(text []byte) bool {
	return len(text) == 1 || bytes.IndexByte([]byte("\"}]"), text[0]) >= 0 || bytes.IndexByte([]byte(" \t\r\n,}]"), text[1]) >= 0
}

// unquote returns the text of a string that is valid JSON.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // it is valid
	return text
}
