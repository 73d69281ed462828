package grammar

import (
	"encoding/json"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

// formats are the texts of some of JSON Schema's formats, as patterns. Each takes valid texts only, and not all of the
// unusual ones: no 29th of February, no quoted names in addresses.
var formats = func() map[string]string {
	const (
		date  = `\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))`
		clock = `([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)`
		name  = `[A-Za-z0-9]([A-Za-z0-9-]{0,40}[A-Za-z0-9])?`
		part  = `[A-Za-z0-9_+-]{1,20}`
		octet = `(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
		path  = `([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*`
	)
	host := name + `(\.` + name + `){1,3}`
	all := map[string]string{
		"date": date, "time": clock, "date-time": date + "T" + clock,
		"uuid":  `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
		"email": part + `(\.` + part + `){0,2}@` + host, "hostname": host,
		"ipv4": octet + `(\.` + octet + `){3}`,
		"uri":  `[a-z][a-z0-9+.-]{0,20}://` + host + `(:[1-9]\d{0,3})?(/` + path + `)?(\?` + path + `)?(#` + path + `)?`,
	}
	for format, pattern := range all {
		all[format] = "^(" + pattern + ")$"
	}
	return all
}()

// textual is the form of texts that a format or a pattern describes; nil if neither does.
func (f fields) textual(place string) (*node, error) {
	for _, keyword := range []string{"pattern", "format"} {
		raw, given := f[keyword]
		if !given {
			continue
		}
		for _, beside := range []string{"format", "minLength", "maxLength"} {
			if _, both := f[beside]; both && beside != keyword {
				return nil, refuse(place+"."+beside, "this keyword is not supported beside %s; leave one of them out", keyword)
			}
		}
		var pattern string
		if json.Unmarshal(raw, &pattern) != nil {
			return nil, refuse(place+"."+keyword, "must be a string")
		}
		if keyword == "format" {
			if pattern = formats[pattern]; pattern == "" {
				return nil, refuse(place+".format", "this format is not supported; leave it out, or send a pattern")
			}
		}
		n, err := matching(pattern)
		if err != nil {
			return nil, refuse(place+"."+keyword, "%v", err)
		}
		return join(oneByte('"'), n, oneByte('"')), nil
	}
	return nil, nil
}

// unicodeEscape is how ECMA-262 writes a character by its number, which Go writes in another way.
var unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// matching is the form of the characters of a JSON text in which a regular expression of ECMA-262 finds something, as far
// as RE2 knows it too.
func matching(pattern string) (*node, error) {
	parsed, err := syntax.Parse(unicodeEscape.ReplaceAllString(pattern, `\x{$1}`), syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("must be a regular expression without lookaround and references")
	}
	return unanchored(parsed.Simplify())
}

// unanchored is the form of texts that hold a match: anything before it unless it begins with ^, and behind unless it ends with $.
func unanchored(re *syntax.Regexp) (*node, error) {
	switch re.Op {
	case syntax.OpCapture:
		return unanchored(re.Sub[0])
	case syntax.OpAlternate:
		return each(re.Sub, unanchored, either)
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	before, behind := times(character, 0, unbounded), times(character, 0, unbounded)
	if len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		before, parts = join(), parts[1:]
	}
	if n := len(parts); n > 0 && parts[n-1].Op == syntax.OpEndText {
		behind, parts = join(), parts[:n-1]
	}
	n, err := each(parts, matched, join)
	if err != nil {
		return nil, err
	}
	return join(before, n, behind), nil
}

func each(parts []*syntax.Regexp, form func(*syntax.Regexp) (*node, error), combine func(...*node) *node) (*node, error) {
	var nodes []*node
	for _, part := range parts {
		n, err := form(part)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return combine(nodes...), nil
}

// matched is the form of what an expression matches.
func matched(re *syntax.Regexp) (*node, error) {
	repeated := func(least, most int) (*node, error) {
		item, err := matched(re.Sub[0])
		return times(item, least, most), err
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return join(), nil
	case syntax.OpNoMatch:
		return either(), nil
	case syntax.OpLiteral:
		n := join()
		for _, r := range re.Rune {
			n.parts = append(n.parts, runes(folded(r, re.Flags)...))
		}
		return n, nil
	case syntax.OpCharClass:
		return runes(re.Rune...), nil
	case syntax.OpAnyCharNotNL:
		return runes(0, '\n'-1, '\n'+1, unicode.MaxRune), nil
	case syntax.OpAnyChar:
		return runes(0, unicode.MaxRune), nil
	case syntax.OpCapture:
		return matched(re.Sub[0])
	case syntax.OpStar:
		return repeated(0, unbounded)
	case syntax.OpPlus:
		return repeated(1, unbounded)
	case syntax.OpQuest:
		return repeated(0, 1)
	case syntax.OpRepeat:
		return repeated(re.Min, re.Max)
	case syntax.OpConcat:
		return each(re.Sub, matched, join)
	case syntax.OpAlternate:
		return each(re.Sub, matched, either)
	}
	return nil, fmt.Errorf("^ and $ are supported at the ends of the expression only, and borders of words nowhere")
}

// folded are a character's cases, as spans.
func folded(r rune, flags syntax.Flags) []rune {
	spans := []rune{r, r}
	if flags&syntax.FoldCase == 0 {
		return spans
	}
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		spans = append(spans, other, other)
	}
	return spans
}

// runes is the form of one character of the spans, as a JSON text has it.
func runes(spans ...rune) *node {
	n, plain := either(), set()
	for i := 0; i < len(spans); i += 2 {
		for r := spans[i]; r <= min(spans[i+1], utf8.RuneSelf-1); r++ {
			switch {
			case r == '"' || r == '\\' || r < ' ':
				text := spelled(string(r))
				n.parts = append(n.parts, literal(text[1:len(text)-1]))
			default:
				plain.bytes[r] = true
			}
		}
		n.parts = append(n.parts, wideRunes(max(spans[i], utf8.RuneSelf), spans[i+1])...)
	}
	n.parts = append(n.parts, plain)
	return n
}

// wideRunes are the forms of the characters of more than one byte in a span. Spans are parted until each byte of one is any
// of a span of its own (Thompson, Regular expression search algorithm, 1968, for UTF-8 as RE2 does it).
func wideRunes(from, to rune) (forms []*node) {
	const surrogates, behind = 0xD800, 0xE000
	switch {
	case from > to:
		return nil
	case from < surrogates && to >= surrogates:
		return append(wideRunes(from, surrogates-1), wideRunes(behind, to)...)
	case from >= surrogates && from < behind:
		return wideRunes(behind, to)
	}
	for _, longest := range []rune{0x7FF, 0xFFFF} {
		if from <= longest && to > longest {
			return append(wideRunes(from, longest), wideRunes(longest+1, to)...)
		}
	}
	for bits := 6; bits <= 18; bits += 6 {
		mask := rune(1)<<bits - 1
		if from&^mask == to&^mask {
			continue
		}
		if from&mask != 0 {
			return append(wideRunes(from, from|mask), wideRunes((from|mask)+1, to)...)
		}
		if to&mask != mask {
			return append(wideRunes(from, to&^mask-1), wideRunes(to&^mask, to)...)
		}
	}
	first, last := string(from), string(to)
	n := join()
	for i := range len(first) {
		n.parts = append(n.parts, set(first[i], last[i]))
	}
	return []*node{n}
}
