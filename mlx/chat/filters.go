package chat

// Filters, each as jinja2 and Hugging Face define it.

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

type filter func(v any, args arguments) (any, error)

func filterOf(name string) (filter, bool) {
	f, ok := map[string]filter{
		"tojson": toJSON, "length": length, "count": length, "trim": trim, "string": func(v any, _ arguments) (any, error) { return markLike(v, str(v)), nil },
		"default": defaultFilter, "d": defaultFilter, "join": joinFilter, "items": items, "upper": onText(strings.ToUpper),
		"lower": onText(strings.ToLower), "safe": func(v any, _ arguments) (any, error) { return markup(str(v)), nil }, "dictsort": dictSort,
		"list": toList, "replace": replaceFilter, "selectattr": selectAttr(true), "rejectattr": selectAttr(false),
		"select": selectItems(true), "reject": selectItems(false), "map": mapFilter, "indent": indent, "first": first, "last": last,
		"int": toIntFilter, "float": toFloatFilter, "capitalize": onText(capitalize), "title": func(v any, _ arguments) (any, error) { return title(str(v)), nil }, "unique": unique,
		"sort": sortFilter, "reverse": reverse, "abs": abs, "min": extremum(-1), "max": extremum(1), "sum": sum,
	}[name]
	if ok && looksAtWhole(name) {
		f = weighFirst(f)
	}
	return f, ok
}

func onText(change func(string) string) filter {
	return func(v any, _ arguments) (any, error) { return markLike(v, change(str(v))), nil }
}

func toJSON(v any, args arguments) (any, error) {
	d := jsonWriter{separator: ", ", colon: ": "}
	d.ascii, d.sorted = truth(args.get(0, "ensure_ascii", false)), truth(args.get(3, "sort_keys", false))
	switch in := args.get(1, "indent", nil).(type) {
	case int64:
		d.pretty, d.indent, d.separator = true, strings.Repeat(" ", int(min(max(in, 0), 64))), ","
	case string:
		if len(in) > 1024 {
			return nil, errTooLarge
		}
		d.pretty, d.indent, d.separator = true, in, ","
	}
	if list, ok := args.get(2, "separators", nil).(*List); ok && len(list.Items) == 2 {
		d.separator, d.colon = str(list.Items[0]), str(list.Items[1])
	}
	err := d.write(v, 0)
	return d.out.String(), err
}

func length(v any, _ arguments) (any, error) {
	switch v := v.(type) {
	case string, markup:
		return int64(utf8.RuneCountInString(str(v))), nil
	case *Dict:
		return int64(len(v.keys)), nil
	case *List:
		if v.lazy {
			return nil, errors.New("a generator has no length")
		}
	}
	list, err := iterate(v)
	return int64(len(list)), err
}

func trim(v any, args arguments) (any, error) {
	text, err := stripText(str(v), args.get(0, "chars", nil), true, true)
	return markLike(v, text), err
}

func defaultFilter(v any, args arguments) (any, error) {
	_, missing := v.(undefined)
	if missing || truth(args.get(1, "boolean", false)) && !truth(v) {
		return args.get(0, "default_value", ""), nil
	}
	return v, nil
}

func joinFilter(v any, args arguments) (any, error) {
	list, err := iterate(v)
	if name := args.get(1, "attribute", nil); name != nil && err == nil {
		list, err = attributes(list, str(name))
	}
	between := str(args.get(0, "d", ""))
	if len(list)*len(between) > mostOutput {
		return nil, errTooLarge
	}
	return joinText(list, between), err
}

func joinText(list []any, between string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = str(v)
	}
	return strings.Join(parts, between)
}

// path is the attribute of v under a dotted name.
func path(v any, name string) (any, error) {
	for _, part := range strings.Split(name, ".") {
		var err error
		if n, numeric := strconv.ParseInt(part, 10, 64); numeric == nil {
			v, err = item(v, n)
		} else {
			v, err = item(v, part)
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

func attributes(list []any, name string) ([]any, error) {
	values := make([]any, len(list))
	for i, v := range list {
		var err error
		if values[i], err = path(v, name); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func items(v any, _ arguments) (any, error) {
	switch v := v.(type) {
	case *Dict:
		return v.pairs(), nil
	case undefined:
		return &List{}, nil
	}
	return nil, fmt.Errorf("items needs a mapping, not %s", typeName(v))
}

func dictSort(v any, args arguments) (any, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("dictsort needs a mapping, not %s", typeName(v))
	}
	by := int64(0)
	if str(args.get(1, "by", "key")) == "value" {
		by = 1
	}
	pairs := d.pairs()
	sorted, err := sortBy(pairs.Items, truth(args.get(0, "case_sensitive", false)), truth(args.get(2, "reverse", false)),
		func(v any) (any, error) { return item(v, by) })
	return &List{Items: sorted}, err
}

// sortBy sorts a copy, keeping the order of equals.
func sortBy(list []any, caseMatters, backwards bool, key func(any) (any, error)) ([]any, error) {
	list = slices.Clone(list)
	var firstErr error
	slices.SortStableFunc(list, func(a, b any) int {
		x, err := key(a)
		y, err2 := key(b)
		c, err3 := compare(foldCase(x, caseMatters), foldCase(y, caseMatters))
		if firstErr == nil {
			firstErr = errors.Join(err, err2, err3)
		}
		if backwards {
			return -c
		}
		return c
	})
	return list, firstErr
}

func foldCase(v any, caseMatters bool) any {
	if s, ok := textOf(v); ok && !caseMatters {
		return strings.ToLower(s)
	}
	return v
}

func sortFilter(v any, args arguments) (any, error) {
	list, err := iterate(v)
	if err != nil {
		return nil, err
	}
	key := func(v any) (any, error) { return v, nil }
	if name := args.get(2, "attribute", nil); name != nil {
		key = func(v any) (any, error) { return path(v, str(name)) }
	}
	list, err = sortBy(list, truth(args.get(1, "case_sensitive", false)), truth(args.get(0, "reverse", false)), key)
	return &List{Items: list}, err
}

func toList(v any, _ arguments) (any, error) {
	list, err := iterate(v)
	return &List{Items: list}, err
}

func replaceFilter(v any, args arguments) (any, error) {
	return replaceText(str(v), args)
}

func indent(v any, args arguments) (any, error) {
	pad, ok := textOf(args.get(0, "width", int64(4)))
	if !ok {
		n, err := args.whole(0, "width", 4)
		if err != nil {
			return nil, err
		}
		pad = strings.Repeat(" ", int(min(max(n, 0), 1024)))
	}
	lines := splitLines(str(v)+"\n", false)
	if len(lines)*len(pad) > mostOutput {
		return nil, errTooLarge
	}
	for i, line := range lines {
		if i > 0 && (line != "" || truth(args.get(2, "blank", false))) || i == 0 && truth(args.get(1, "first", false)) {
			lines[i] = pad + line
		}
	}
	return markLike(v, strings.Join(lines, "\n")), nil
}

func first(v any, _ arguments) (any, error) {
	list, err := iterate(v)
	if len(list) == 0 {
		return undefined{"the first item"}, err
	}
	return list[0], err
}

func last(v any, _ arguments) (any, error) {
	list, err := iterate(v)
	if len(list) == 0 {
		return undefined{"the last item"}, err
	}
	return list[len(list)-1], err
}

func toIntFilter(v any, args arguments) (any, error) {
	if n, ok := toInt(v); ok {
		return n, nil
	}
	if f, ok := v.(float64); ok && math.Abs(f) < 1<<62 {
		return int64(f), nil
	}
	s, _ := textOf(v)
	if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64); err == nil {
		return n, nil
	}
	if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && math.Abs(f) < 1<<62 {
		return int64(f), nil
	}
	return args.get(0, "default", int64(0)), nil
}

func toFloatFilter(v any, args arguments) (any, error) {
	if f, ok := toFloat(v); ok {
		return f, nil
	}
	s, _ := textOf(v)
	if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
		return f, nil
	}
	return args.get(0, "default", 0.0), nil
}

func unique(v any, args arguments) (any, error) {
	list, err := iterate(v)
	caseMatters := truth(args.get(0, "case_sensitive", false))
	out, seen := &List{lazy: true}, make(map[any]bool)
	for _, each := range list {
		key, err := hash(foldCase(each, caseMatters))
		if err != nil {
			return nil, err
		}
		if !seen[key] {
			seen[key] = true
			out.Items = append(out.Items, each)
		}
	}
	return out, err
}

func reverse(v any, _ arguments) (any, error) {
	list, err := iterate(v)
	list = reverseItems(list)
	if isString(v) {
		return markLike(v, joinText(list, "")), err
	}
	return &List{Items: list}, err
}

func abs(v any, _ arguments) (any, error) {
	if n, ok := toInt(v); ok {
		return max(n, -n), nil
	}
	f, ok := toFloat(v)
	if !ok {
		return nil, fmt.Errorf("abs needs a number, not %s", typeName(v))
	}
	return math.Abs(f), nil
}

func extremum(sign int) filter {
	return func(v any, _ arguments) (any, error) {
		list, err := iterate(v)
		var best any = undefined{"the extreme of nothing"}
		for i, each := range list {
			if i == 0 {
				best = each
				continue
			}
			c, err := compare(foldCase(each, false), foldCase(best, false))
			if err != nil {
				return nil, err
			}
			if c*sign > 0 {
				best = each
			}
		}
		return best, err
	}
}

func sum(v any, args arguments) (any, error) {
	list, err := iterate(v)
	if name := args.get(0, "attribute", nil); name != nil && err == nil {
		list, err = attributes(list, str(name))
	}
	total := args.get(1, "start", int64(0))
	for _, each := range list {
		if err == nil {
			total, err = operate("+", total, each)
		}
	}
	return total, err
}
