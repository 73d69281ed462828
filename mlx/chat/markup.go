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

// like marks a string if the value that it was made from is marked.
func like(v any, text string) any {
	if _, marked := v.(markup); marked {
		return markup(text)
	}
	return text
}

// escaped is a string as it goes into marked text.
func escaped(v any) any {
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
	x, ok := textOf(escaped(a))
	y, ok2 := textOf(escaped(b))
	return markup(x + y), (left || right) && ok && ok2
}

// markupMethod is a method of marked text: what texts it gives are marked, and what it puts in is escaped.
func markupMethod(m textMethod, s markup, name string) func(arguments) (any, error) {
	return func(args arguments) (any, error) {
		switch name {
		case "join", "format":
			args = args.escaped(0)
		case "replace":
			args = args.escaped(1)
		}
		v, err := m(string(s), args)
		if text, ok := v.(string); ok {
			return markup(text), err
		}
		if list, ok := v.(*List); ok {
			return &List{Items: marked(list.Items), tuple: list.tuple}, err
		}
		return v, err
	}
}

func marked(items []any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = item
		if text, ok := item.(string); ok {
			out[i] = markup(text)
		}
	}
	return out
}

// escaped are the arguments from one on as they go into marked text, items of lists too.
func (a arguments) escaped(from int) arguments {
	out := arguments{run: a.run}
	for i, v := range a.list {
		if i >= from {
			v = escapedItems(v)
		}
		out.list = append(out.list, v)
	}
	for _, n := range a.named {
		out.named = append(out.named, namedValue{n.name, escapedItems(n.value)})
	}
	return out
}

func escapedItems(v any) any {
	list, ok := v.(*List)
	if !ok {
		return escaped(v)
	}
	items := make([]any, len(list.Items))
	for i, item := range list.Items {
		items[i] = escaped(item)
	}
	return &List{Items: items, tuple: list.tuple, lazy: list.lazy}
}
