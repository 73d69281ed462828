package chat

// The values of templates, with Python's ideas of truth, equality and order. None is nil; the others are bool,
// int64, float64, bigNumber, string, *List, *Dict, undefined, *namespace, *loopState and callables.

import (
	"fmt"
	"strings"
)

// List is a Python list, or a tuple, or what a filter such as map gives: a generator, which can be iterated and
// nothing else.
type List struct {
	Items []any
	tuple bool
	lazy  bool
}

// Dict is a mapping that keeps the order of its keys, as Python's does.
type Dict struct {
	keys   []string
	values map[string]any
}

// NewDict returns a Dict of keys and values in turn.
func NewDict(pairs ...any) *Dict {
	d := &Dict{values: make(map[string]any, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1])
	}
	return d
}

// Set puts a value under a key; a new key goes last.
func (d *Dict) Set(key string, value any) {
	if _, ok := d.values[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[key] = value
}

// Get returns the value under a key.
func (d *Dict) Get(key string) (any, bool) {
	value, ok := d.values[key]
	return value, ok
}

// Keys returns the keys in order.
func (d *Dict) Keys() []string { return d.keys }

// bigNumber is a number of JSON that fits no int64 and is passed on as it is written.
type bigNumber string

// undefined is what a missing variable or attribute gives.
type undefined struct{ what string }

// namespace is what namespace() makes: the one value whose attributes a template can set.
type namespace struct{ *Dict }

// callable is a macro, a function or a method bound to its value.
type callable struct {
	name string
	call func(args arguments) (any, error)
}

// arguments of a call; names keep no order, since nothing here depends on it.
type arguments struct {
	list  []any
	named map[string]any
}

// get returns the argument at a place or under a name, or fallback.
func (a arguments) get(i int, name string, fallback any) any {
	if i < len(a.list) {
		return a.list[i]
	}
	if v, ok := a.named[name]; ok {
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
	s, ok := v.(string)
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
	case string:
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
		other, ok := b.values[key]
		if !ok || !equal(a.values[key], other) {
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
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
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
		return anys(v.keys), nil
	case undefined:
		return nil, nil
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

// pairs are the items of a dict as tuples.
func (d *Dict) pairs() *List {
	list := &List{}
	for _, key := range d.keys {
		list.Items = append(list.Items, &List{Items: []any{key, d.values[key]}, tuple: true})
	}
	return list
}

// contains is Python's `item in v`.
func contains(v, item any) (bool, error) {
	switch v := v.(type) {
	case string:
		s, err := asText(item, "what is looked for in a string")
		return strings.Contains(v, s), err
	case *Dict:
		key, ok := item.(string)
		_, has := v.values[key]
		return ok && has, nil
	}
	items, err := iterate(v)
	for _, each := range items {
		if equal(each, item) {
			return true, nil
		}
	}
	return false, err
}
