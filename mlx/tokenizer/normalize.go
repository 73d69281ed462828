package tokenizer

// Normalizers: they rewrite a text before it is cut into words.

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

type normalizer interface {
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

// form is a Unicode normalization form.
type form struct{ form norm.Form }

func (f form) apply(text string) string { return f.form.String(text) }

// prepend writes something before every text that is not empty.
type prepend string

func (p prepend) apply(text string) string {
	if text == "" {
		return ""
	}
	return string(p) + text
}

type lowercase struct{}

func (lowercase) apply(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == 'İ' { // the one letter whose lower case is two characters
			b.WriteString("i̇")
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
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
