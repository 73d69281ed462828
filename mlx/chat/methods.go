package chat

// Methods of strings and dicts. Those that would change a value are forbidden by Hugging Face's sandbox: a
// template that has them loads, and fails where it calls one.

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type textMethod func(s string, args arguments) (any, error)

func textMethods() map[string]textMethod {
	plain := func(change func(string) string) textMethod {
		return func(s string, _ arguments) (any, error) { return change(s), nil }
	}
	stripped := func(left, right bool) textMethod {
		return func(s string, args arguments) (any, error) {
			return stripText(s, args.get(0, "chars", nil), left, right)
		}
	}
	all := func(kind func(rune) bool) textMethod {
		return func(s string, _ arguments) (any, error) {
			return s != "" && strings.IndexFunc(s, func(r rune) bool { return !kind(r) }) < 0, nil
		}
	}
	return map[string]textMethod{
		"upper": plain(strings.ToUpper), "lower": plain(strings.ToLower), "title": plain(title), "capitalize": plain(capitalize),
		"strip": stripped(true, true), "lstrip": stripped(true, false), "rstrip": stripped(false, true),
		"split": splitMethod(false), "rsplit": splitMethod(true), "splitlines": linesMethod,
		"startswith": affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
		"removeprefix": cut(strings.TrimPrefix), "removesuffix": cut(strings.TrimSuffix),
		"replace": replaceText,
		"join": func(s string, args arguments) (any, error) {
			return weighFirst(joinFilter)(args.get(0, "iterable", nil), arguments{run: args.run, list: []any{s}})
		},
		"find": find, "count": countMethod, "format": formatMethod, "isdigit": all(unicode.IsDigit), "isalpha": all(unicode.IsLetter),
		"isspace": all(pySpace), "isalnum": all(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
	}
}

type dictMethod func(d *Dict, args arguments) (any, error)

// dictMethodOf finds a method by its name. It makes no table: templates look up a field of every message by
// it.
func dictMethodOf(name string) (m dictMethod, ok bool) {
	switch name {
	case "items":
		return func(d *Dict, _ arguments) (any, error) { return d.pairs(), nil }, true
	case "keys":
		return func(d *Dict, _ arguments) (any, error) { return &List{Items: d.keys}, nil }, true
	case "copy":
		return func(d *Dict, _ arguments) (any, error) { return d, nil }, true
	case "get":
		return dictGet, true
	case "values":
		return dictValues, true
	}
	return nil, false
}

func dictGet(d *Dict, args arguments) (any, error) {
	key, err := hash(args.get(0, "key", undefined{"the key"}))
	if err != nil {
		return nil, err
	}
	if v, ok := d.values[key]; ok {
		return v, nil
	}
	return args.get(1, "default", nil), nil
}

func dictValues(d *Dict, _ arguments) (any, error) {
	list := &List{}
	for _, key := range d.keys {
		list.Items = append(list.Items, d.at(key))
	}
	return list, nil
}

// isMethod tells whether a template may call something of that name.
func isMethod(name string) bool {
	_, text := textMethods()[name]
	_, dict := dictMethodOf(name)
	return text || dict || name == "cycle" || slices.Contains(forbiddenMethods(), name)
}

// forbiddenMethods change a value.
func forbiddenMethods() []string {
	return []string{"append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update"}
}

func method(v any, name string) (callable, bool) {
	switch v := v.(type) {
	case string:
		m, ok := textMethods()[name]
		return callable{name, func(args arguments) (any, error) { return m(v, args) }}, ok
	case markup:
		m, ok := textMethods()[name]
		return callable{name, markupMethod(m, v, name)}, ok
	case *Dict:
		m, ok := dictMethodOf(name)
		return callable{name, func(args arguments) (any, error) { return m(v, args) }}, ok
	}
	return callable{}, false
}

func stripText(s string, chars any, left, right bool) (string, error) {
	drop := pySpace
	if chars != nil {
		set, err := asText(chars, "the characters to strip")
		if err != nil {
			return "", err
		}
		drop = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, drop)
	}
	if right {
		s = strings.TrimRightFunc(s, drop)
	}
	return s, nil
}

func splitMethod(fromRight bool) textMethod {
	return func(s string, args arguments) (any, error) {
		maxSplits, err := args.whole(1, "maxsplit", -1)
		if err != nil {
			return nil, err
		}
		separator := args.get(0, "sep", nil)
		if separator == nil {
			return &List{Items: anys(fields(s, maxSplits))}, nil
		}
		sep, err := asText(separator, "the separator")
		if err == nil && sep == "" {
			err = fmt.Errorf("an empty separator")
		}
		if err != nil {
			return nil, err
		}
		return &List{Items: anys(splitText(s, sep, int(maxSplits), fromRight))}, nil
	}
}

func splitText(s, sep string, maxSplits int, fromRight bool) []string {
	parts := strings.Split(s, sep)
	if maxSplits < 0 || len(parts) <= maxSplits+1 {
		return parts
	}
	if fromRight {
		head := len(parts) - maxSplits
		return append([]string{strings.Join(parts[:head], sep)}, parts[head:]...)
	}
	return append(slices.Clone(parts[:maxSplits]), strings.Join(parts[maxSplits:], sep))
}

// fields splits at white space, at most so many times.
func fields(s string, maxSplits int64) []string {
	var parts []string
	s = strings.TrimLeftFunc(s, pySpace)
	for s != "" {
		end := strings.IndexFunc(s, pySpace)
		if end < 0 || maxSplits >= 0 && int64(len(parts)) == maxSplits {
			return append(parts, strings.TrimRightFunc(s, pySpace))
		}
		parts = append(parts, s[:end])
		s = strings.TrimLeftFunc(s[end:], pySpace)
	}
	return parts
}

func linesMethod(s string, args arguments) (any, error) {
	return &List{Items: anys(splitLines(s, truth(args.get(0, "keepends", false))))}, nil
}

// splitLines cuts at all line ends that Python knows.
func splitLines(s string, keepEnds bool) []string {
	var lines []string
	for s != "" {
		end := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if end < 0 {
			return append(lines, s)
		}
		_, width := utf8.DecodeRuneInString(s[end:])
		next := end + width
		if strings.HasPrefix(s[end:], "\r\n") {
			next = end + 2
		}
		if keepEnds {
			end = next
		}
		lines = append(lines, s[:end])
		s = s[next:]
	}
	return lines
}

func affix(has func(s, affix string) bool) textMethod {
	return func(s string, args arguments) (any, error) {
		choices := []any{args.get(0, "prefix", nil)}
		if list, ok := choices[0].(*List); ok {
			choices = list.Items
		}
		for _, choice := range choices {
			text, err := asText(choice, "what a string may begin or end with")
			if err != nil {
				return nil, err
			}
			if has(s, text) {
				return true, nil
			}
		}
		return false, nil
	}
}

func cut(trim func(s, affix string) string) textMethod {
	return func(s string, args arguments) (any, error) {
		text, err := args.text(0, "affix", "")
		return trim(s, text), err
	}
}

func replaceText(s string, args arguments) (any, error) {
	from, err := args.text(0, "old", "")
	if err != nil {
		return nil, err
	}
	to, err := args.text(1, "new", "")
	if err != nil {
		return nil, err
	}
	limit := int64(-1)
	if args.get(2, "count", nil) != nil {
		if limit, err = args.whole(2, "count", -1); err != nil {
			return nil, err
		}
	}
	if len(to) > 0 && int64(strings.Count(s, from)) > mostOutput/int64(len(to)) {
		return nil, errTooLarge
	}
	return strings.Replace(s, from, to, int(limit)), nil
}

func find(s string, args arguments) (any, error) {
	text, err := args.text(0, "sub", "")
	if i := strings.Index(s, text); i >= 0 {
		return int64(len([]rune(s[:i]))), err
	}
	return int64(-1), err
}

func countMethod(s string, args arguments) (any, error) {
	text, err := args.text(0, "sub", "")
	return int64(strings.Count(s, text)), err
}

// formatMethod knows {}, {0} and {name}; anything else in braces is an error.
func formatMethod(s string, args arguments) (any, error) {
	if err := args.run.weigh(args.list...); err != nil {
		return nil, err
	}
	var b strings.Builder
	s = strings.NewReplacer("{{", "\x00", "}}", "\x01").Replace(s)
	for next := 0; ; next++ {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			b.WriteString(s)
			return strings.NewReplacer("\x00", "{", "\x01", "}").Replace(b.String()), nil
		}
		end := strings.IndexByte(s[open:], '}')
		if end < 0 {
			return nil, fmt.Errorf("format: a brace is not closed")
		}
		v, err := formatField(s[open+1:open+end], next, args)
		if err != nil {
			return nil, err
		}
		b.WriteString(s[:open] + str(v))
		s = s[open+end+1:]
	}
}

func formatField(name string, next int, args arguments) (any, error) {
	i := -1
	if name == "" {
		i = next
	} else if len(name) == 1 && isDigit(name[0]) {
		i = int(name[0] - '0')
	}
	if i >= 0 && i < len(args.list) {
		return args.list[i], nil
	}
	if v, ok := args.namedAs(name); ok {
		return v, nil
	}
	return nil, fmt.Errorf("format: field {%s} is not supported or has no value", name)
}

func capitalize(s string) string {
	runes := []rune(s)
	if len(runes) == 0 {
		return ""
	}
	return strings.ToUpper(string(runes[:1])) + strings.ToLower(string(runes[1:]))
}

// title begins every word with a capital.
func title(s string) string {
	var b strings.Builder
	inside := false
	for _, r := range s {
		if inside {
			b.WriteRune(unicode.ToLower(r))
		} else {
			b.WriteRune(unicode.ToTitle(r))
		}
		inside = unicode.IsLetter(r)
	}
	return b.String()
}
