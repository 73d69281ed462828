package chat

// Text that the filter `safe` marked, which is markupsafe's Markup: what it is put together with is escaped.

import "strings"

type markup string

// textOf is the text of a string, marked or not.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// markLike marks a text if the value that it was made from is marked.
func markLike(v any, text string) any {
	if _, marked := v.(markup); marked {
		return markup(text)
	}
	return text
}

// escapeText returns a string as it goes into marked text, and other values as they are.
func escapeText(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace(s)
}

// joinMarkup is a + b if one of them is marked.
func joinMarkup(a, b any) (any, bool) {
	_, left := a.(markup)
	_, right := b.(markup)
	x, ok := textOf(escapeText(a))
	y, ok2 := textOf(escapeText(b))
	return markup(x + y), (left || right) && ok && ok2
}

// markupMethod is a method of marked text: what texts it gives are marked, and what it puts in is escaped.
func markupMethod(m textMethod, s markup, name string) func(arguments) (any, error) {
	return func(args arguments) (any, error) {
		switch name {
		case "join", "format":
			args = args.escapeFrom(0)
		case "replace":
			args = args.escapeFrom(1)
		}
		v, err := m(string(s), args)
		if text, ok := v.(string); ok {
			return markup(text), err
		}
		if list, ok := v.(*List); ok {
			return &List{Items: markAll(list.Items), tuple: list.tuple}, err
		}
		return v, err
	}
}

func markAll(items []any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = item
		if text, ok := item.(string); ok {
			out[i] = markup(text)
		}
	}
	return out
}

// escapeFrom escapes the arguments from one on for marked text, items of lists too.
func (a arguments) escapeFrom(from int) arguments {
	out := arguments{run: a.run}
	for i, v := range a.list {
		if i >= from {
			v = escapeItems(v)
		}
		out.list = append(out.list, v)
	}
	for _, n := range a.named {
		out.named = append(out.named, namedValue{n.name, escapeItems(n.value)})
	}
	return out
}

func escapeItems(v any) any {
	list, ok := v.(*List)
	if !ok {
		return escapeText(v)
	}
	items := make([]any, len(list.Items))
	for i, item := range list.Items {
		items[i] = escapeText(item)
	}
	return &List{Items: items, tuple: list.tuple, lazy: list.lazy}
}
