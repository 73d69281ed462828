package chat

// The values of templates, with Python's ideas of truth, equality and order. None is nil; the others are
// bool, int64, float64, bigNumber, string, markup, *List, *Dict, undefined, *namespace, *loopState and
// callables.

import (
	"fmt"
	"strings"
)

// List is a Python list, or a tuple, or what a filter such as map gives: a generator, which can be iterated
// and nothing else.
type List struct {
	Items []any
	tuple bool
	lazy  bool
}

// bigNumber is a number of JSON that fits no int64 and is passed on as it is written.
type bigNumber string

// undefined is what a missing variable or attribute gives.
type undefined struct{ name string }

// namespace is what namespace() makes: the one value whose attributes a template can set.
type namespace struct{ *Dict }

// callable is a macro, a function or a method bound to its value.
type callable struct {
	name string
	call func(args arguments) (any, error)
}

// arguments of a call; named ones keep their order, since dict(b=1, a=2) does.
type arguments struct {
	run   *rendering
	list  []any
	named []namedValue
}

type namedValue struct {
	name  string
	value any
}

func (a arguments) namedAs(name string) (any, bool) {
	for _, n := range a.named {
		if n.name == name {
			return n.value, true
		}
	}
	return nil, false
}

// get returns the argument at a place or under a name, or else fallback.
func (a arguments) get(i int, name string, fallback any) any {
	if i < len(a.list) {
		return a.list[i]
	}
	if v, ok := a.namedAs(name); ok {
		return v
	}
	return fallback
}

func (a arguments) text(i int, name, fallback string) (string, error) {
	return asText(a.get(i, name, fallback), name)
}

func (a arguments) whole(i int, name string, fallback int64) (int64, error) {
	n, ok := toInt(a.get(i, name, fallback))
	if !ok {
		return 0, fmt.Errorf("%s must be a whole number, not %s", name, typeName(a.get(i, name, nil)))
	}
	return n, nil
}

func asText(v any, name string) (string, error) {
	s, ok := textOf(v)
	if !ok {
		return "", fmt.Errorf("%s must be a string, not %s", name, typeName(v))
	}
	return s, nil
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, bigNumber:
		return "int"
	case float64:
		return "float"
	case string, markup:
		return "str"
	case *List:
		if v.lazy {
			return "generator"
		}
		return "list"
	case *Dict:
		return "dict"
	case undefined:
		return "undefined"
	}
	return "object"
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case *List:
		return len(v.Items) > 0 || v.lazy
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func toFloat(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	n, ok := toInt(v)
	return float64(n), ok
}

func equal(a, b any) bool {
	if x, ok := toFloat(a); ok {
		y, ok := toFloat(b)
		return ok && x == y
	}
	switch x := a.(type) {
	case string, markup:
		s, _ := textOf(x)
		y, ok := textOf(b)
		return ok && s == y
	case *List:
		y, ok := b.(*List)
		return ok && x.tuple == y.tuple && equalItems(x.Items, y.Items)
	case *Dict:
		y, ok := b.(*Dict)
		return ok && equalDicts(x, y)
	case undefined:
		_, ok := b.(undefined)
		return ok
	case callable:
		return false
	}
	if _, ok := b.(callable); ok {
		return false
	}
	return a == b
}

func equalItems(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalDicts(a, b *Dict) bool {
	if len(a.keys) != len(b.keys) {
		return false
	}
	for _, key := range a.keys {
		other, ok := b.find(key)
		if !ok || !equal(a.at(key), other) {
			return false
		}
	}
	return true
}

// compare orders two numbers, strings or lists.
func compare(a, b any) (int, error) {
	if x, ok := toFloat(a); ok {
		if y, ok := toFloat(b); ok {
			return sign(x - y), nil
		}
	}
	switch x := a.(type) {
	case string, markup:
		s, _ := textOf(x)
		if y, ok := textOf(b); ok {
			return strings.Compare(s, y), nil
		}
	case *List:
		if y, ok := b.(*List); ok {
			return compareItems(x.Items, y.Items)
		}
	}
	return 0, fmt.Errorf("cannot order %s and %s", typeName(a), typeName(b))
}

func compareItems(a, b []any) (int, error) {
	for i := range min(len(a), len(b)) {
		if c, err := compare(a[i], b[i]); c != 0 || err != nil {
			return c, err
		}
	}
	return len(a) - len(b), nil
}

func sign(f float64) int {
	switch {
	case f < 0:
		return -1
	case f > 0:
		return 1
	}
	return 0
}

// iterate returns what a for loop over v sees.
func iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case *List:
		return v.Items, nil
	case *Dict:
		return v.keys, nil
	case undefined:
		return nil, nil
	case markup:
		return iterate(string(v))
	case string:
		runes := []rune(v)
		items := make([]any, len(runes))
		for i, r := range runes {
			items[i] = string(r)
		}
		return items, nil
	}
	return nil, fmt.Errorf("cannot iterate over %s", typeName(v))
}

func anys(list []string) []any {
	items := make([]any, len(list))
	for i, s := range list {
		items[i] = s
	}
	return items
}

// contains is Python's `item in v`.
func contains(v, item any) (bool, error) {
	switch v := v.(type) {
	case string, markup:
		s, err := asText(item, "what is looked for in a string")
		text, _ := textOf(v)
		return strings.Contains(text, s), err
	case *Dict:
		key, err := hash(item)
		_, has := v.values[key]
		return has, err
	}
	items, err := iterate(v)
	for _, each := range items {
		if equal(each, item) {
			return true, nil
		}
	}
	return false, err
}
