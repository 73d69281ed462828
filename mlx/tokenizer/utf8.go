package tokenizer

// UTF-8 with holes: every maximal piece of an invalid sequence becomes one U+FFFD, as Unicode recommends and
// as Rust's lossy conversion does (Go's own conversions replace byte by byte, or whole runs).

import (
	"strings"
	"unicode/utf8"
)

// validUTF8 returns text with U+FFFD for what is not UTF-8.
func validUTF8(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for rest := []byte(text); len(rest) > 0; {
		n, ok := nextRune(rest)
		if ok {
			b.Write(rest[:n])
		} else {
			b.WriteRune(utf8.RuneError)
		}
		rest = rest[n:]
	}
	return b.String()
}

// nextRune gives the length of the rune, or of the invalid piece (ok false), that b begins with.
func nextRune(b []byte) (n int, ok bool) {
	if r, size := utf8.DecodeRune(b); r != utf8.RuneError || size > 1 {
		return size, true
	}
	n = 1
	for n < len(b) && n < 4 && couldBegin(b[:n+1]) {
		n++
	}
	return n, false
}

// couldBegin tells whether more bytes could make b a rune: FullRune answers true for what is already wrong.
func couldBegin(b []byte) bool { return !utf8.FullRune(b) }

// incompleteTail is the length of the bytes at b's end that more bytes could make a rune.
func incompleteTail(b []byte) int {
	for n := min(3, len(b)); n > 0; n-- {
		tail := b[len(b)-n:]
		if utf8.RuneStart(tail[0]) && couldBegin(tail) {
			return n
		}
	}
	return 0
}
