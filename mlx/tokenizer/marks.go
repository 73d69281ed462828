package tokenizer

// Normalization of long runs of marks. golang.org/x/text breaks runs of more than 30 by a character of its
// own, U+034F (Unicode calls it the Stream-Safe Text Format), which the library does not: there the forms are
// made by hand.

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxMarks is the length of a run that surely stays below 30 when each of its marks is taken apart.
const maxMarks = 10

// normalizeForm returns a normalization form of a text that has no character which the library doesn't know.
func normalizeForm(form norm.Form, text string) string {
	if !hasManyMarks(form, text) {
		return form.String(text)
	}
	marks := decompose(form, text)
	if form == norm.NFC || form == norm.NFKC {
		marks = compose(marks)
	}
	var b strings.Builder
	for _, m := range marks {
		b.WriteRune(m.r)
	}
	return b.String()
}

func hasManyMarks(form norm.Form, text string) bool {
	run := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			run = 0
			i++
			continue
		}
		p := form.PropertiesString(text[i:])
		i += max(p.Size(), 1)
		if run++; p.BoundaryBefore() {
			run = 0
		}
		if run > maxMarks {
			return true
		}
	}
	return false
}

// mark is a character with its combining class, 0 for what is no mark.
type mark struct {
	r     rune
	class uint8
}

// decompose takes every character apart and puts the marks in order.
func decompose(form norm.Form, text string) []mark {
	apart := map[norm.Form]norm.Form{norm.NFC: norm.NFD, norm.NFD: norm.NFD, norm.NFKC: norm.NFKD, norm.NFKD: norm.NFKD}[form]
	var all []mark
	for i, r := range text {
		p := apart.PropertiesString(text[i:])
		if p.Decomposition() == nil && (r < '가' || r > '힣') { // Hangul is taken apart by a rule, not by a table
			all = append(all, mark{r, p.CCC()})
			continue
		}
		for _, part := range apart.String(string(r)) {
			all = append(all, mark{part, apart.PropertiesString(string(part)).CCC()})
		}
	}
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && all[start].class > 0 && all[end].class > 0 {
			end++
		}
		sortByClass(all[start:end])
		start = end
	}
	return all
}

// sortByClass keeps marks of one class in their order. It counts, since a text may be one run of millions of
// marks.
func sortByClass(run []mark) {
	if len(run) < 2 {
		return
	}
	var places [257]int
	for _, m := range run {
		places[int(m.class)+1]++
	}
	for class := range 256 {
		places[class+1] += places[class]
	}
	sorted := make([]mark, len(run))
	for _, m := range run {
		sorted[places[m.class]] = m
		places[m.class]++
	}
	copy(run, sorted)
}

// compose joins each mark with the starter before it, where there is a character for both and nothing stands
// between.
func compose(all []mark) []mark {
	out, starter := all[:0], -1
	for _, m := range all {
		if starter >= 0 && (starter == len(out)-1 || out[len(out)-1].class < m.class) {
			if both, ok := composite(out[starter].r, m.r); ok {
				out[starter].r = both
				continue
			}
		}
		if m.class == 0 {
			starter = len(out)
		}
		out = append(out, m)
	}
	return out
}

func composite(a, b rune) (rune, bool) {
	text := norm.NFC.String(string(a) + string(b))
	r, n := utf8.DecodeRuneInString(text)
	return r, n == len(text)
}
