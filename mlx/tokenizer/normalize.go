package tokenizer

// Normalizers: they rewrite a text before it is cut into words.

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

type normalizer interface {
	grower
	apply(text string) string
}

// normalizers apply one after the other; none leave the text as it is.
type normalizers []normalizer

func (n normalizers) apply(text string) string {
	for _, each := range n {
		text = each.apply(text)
	}
	return text
}

// form is a Unicode normalization form, as the library has it: characters that are newer than its tables stay
// as and where they are, and nothing passes them.
type form struct{ form norm.Form }

func (f form) apply(text string) string {
	if f.form.IsNormalString(text) && strings.IndexFunc(text, isNewerThanTables) < 0 {
		return text
	}
	var b strings.Builder
	for text != "" {
		n := strings.IndexFunc(text, isNewerThanTables)
		if n < 0 {
			n = len(text)
		}
		b.WriteString(normalizeForm(f.form, text[:n]))
		kept := n + width(text, n)
		if n == len(text) {
			kept = n
		}
		b.WriteString(text[n:kept])
		text = text[kept:]
	}
	return b.String()
}

func isNewerThanTables(r rune) bool { return r > 0x300 && unicode.Is(unnormalized, r) }

// prepend writes something before every text that is not empty.
type prepend string

func (p prepend) apply(text string) string {
	if text == "" {
		return ""
	}
	return string(p) + text
}

// lowercase is that of each character alone, as Rust has it.
type lowercase struct{}

func (lowercase) apply(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == 'İ' { // the one letter whose lower case is two characters
			b.WriteString("i̇")
			continue
		}
		b.WriteRune(lowerCase(r))
	}
	return b.String()
}

// caseRange is every step-th character from low to high, whose other case is so far away.
type caseRange struct{ low, high, step, offset rune }

func lowerCase(r rune) rune {
	i, _ := slices.BinarySearchFunc(lowerCases, r, func(c caseRange, r rune) int { return cmp.Compare(c.high, r) })
	if i < len(lowerCases) && r >= lowerCases[i].low && (r-lowerCases[i].low)%lowerCases[i].step == 0 {
		return r + lowerCases[i].offset
	}
	return r
}

// strip removes white space at the ends.
type strip struct{ left, right bool }

func (s strip) apply(text string) string {
	if s.left {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	if s.right {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	return text
}

// replace puts content where the pattern matches.
type replace struct {
	pattern pattern
	content string
}

func (r replace) apply(text string) string {
	if l, ok := r.pattern.(literal); ok {
		return strings.ReplaceAll(text, string(l), r.content)
	}
	var b strings.Builder
	done := 0
	r.pattern.each(text, func(start, end int) {
		b.WriteString(text[done:start])
		b.WriteString(r.content)
		done = end
	})
	b.WriteString(text[done:])
	return b.String()
}
