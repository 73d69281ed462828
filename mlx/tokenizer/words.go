package tokenizer

// Hand-written scanners for the two families of word patterns that most byte-level vocabularies use. A regular
// expression engine with look-ahead takes ten times as long for the same cuts.

import (
	"unicode"
	"unicode/utf8"
)

// wordPattern cuts text into words the way GPT-2, or with modern the way cl100k, Llama 3 and Qwen 2 do.
type wordPattern struct {
	modern bool
	digits int // most digits in one word, 0: any number
}

// The patterns as files write them.
const (
	gpt2Words  = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	modernHead = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}`
	modernTail = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwenWords  = modernHead + modernTail
	llamaWords = modernHead + `{1,3}` + modernTail
)

// knownWords returns the scanner for a pattern, if there is one.
func knownWords(regex string) (wordPattern, bool) {
	switch regex {
	case gpt2Words:
		return wordPattern{}, true
	case qwenWords:
		return wordPattern{modern: true, digits: 1}, true
	case llamaWords:
		return wordPattern{modern: true, digits: 3}, true
	}
	return wordPattern{}, false
}

func (w wordPattern) each(text string, match func(start, end int)) {
	for i := 0; i < len(text); {
		end := w.word(text, i)
		match(i, end)
		i = end
	}
}

// word returns where the word that starts at text[i] ends. Alternatives are tried in the pattern's order.
func (w wordPattern) word(text string, i int) int {
	if n := contraction(text[i:], w.modern); n > 0 {
		return i + n
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	if start, ok := w.lead(text, i, r, n); ok {
		return run(text, start, isLetter, 0)
	}
	start := i
	if r == ' ' && i+n < len(text) {
		start = i + n
	}
	kind, _ := utf8.DecodeRuneInString(text[start:])
	switch {
	case isNumber(r):
		return run(text, i, isNumber, w.digits)
	case !w.modern && isNumber(kind):
		return run(text, start, isNumber, 0)
	case isMark(kind):
		return w.marks(text, start)
	}
	return w.space(text, i)
}

// lead finds where the letters of a word that may have one character before them begin.
func (w wordPattern) lead(text string, i int, r rune, n int) (int, bool) {
	if isLetter(r) {
		return i, true
	}
	mayLead := r == ' '
	if w.modern {
		mayLead = r != '\r' && r != '\n' && !isNumber(r)
	}
	if !mayLead {
		return 0, false
	}
	next, size := utf8.DecodeRuneInString(text[i+n:])
	return i + n, size > 0 && isLetter(next)
}

func (w wordPattern) marks(text string, i int) int {
	end := run(text, i, isMark, 0)
	if w.modern {
		end = run(text, end, isNewline, 0)
	}
	return end
}

// space cuts a run of white space: up to its last line break (modern only), else all but its last character, which
// belongs to the next word, else all.
func (w wordPattern) space(text string, i int) int {
	end, last, newline := i, i, 0
	for end < len(text) {
		r, n := utf8.DecodeRuneInString(text[end:])
		if !unicode.IsSpace(r) {
			break
		}
		last, end = end, end+n
		if isNewline(r) {
			newline = end
		}
	}
	switch {
	case w.modern && newline > 0:
		return newline
	case end < len(text) && last > i:
		return last
	}
	return end
}

// run returns the end of the characters of one kind from text[i] on, at most most of them if that is not 0.
func run(text string, i int, kind func(rune) bool, most int) int {
	for count := 0; i < len(text) && (most == 0 || count < most); count++ {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !kind(r) {
			break
		}
		i += n
	}
	return i
}

func isNewline(r rune) bool { return r == '\r' || r == '\n' }

// isMark is [^\s\p{L}\p{N}].
func isMark(r rune) bool {
	return !unicode.IsSpace(r) && !isLetter(r) && !isNumber(r)
}

// contraction is the length of an English contraction that text begins with, or 0.
func contraction(text string, anyCase bool) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	a, n := utf8.DecodeRuneInString(text[1:])
	b, _ := utf8.DecodeRuneInString(text[1+n:])
	if anyCase {
		a, b = foldASCII(a), foldASCII(b)
	}
	switch {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return 1 + n
	case a == 'r' && b == 'e', a == 'v' && b == 'e', a == 'l' && b == 'l':
		return 3
	}
	return 0
}

// foldASCII folds what has an ASCII letter as its simple case folding; the long s is one of them.
func foldASCII(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r == 'ſ':
		return 's'
	}
	return r
}
