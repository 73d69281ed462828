package chat

// Dicts and what may be a key of them.

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Dict is a mapping that keeps the order of its keys, as Python's does. A key is what Python can hash; 1, 1.0
// and True are the same one.
type Dict struct {
	keys   []any // as they were first written
	values map[any]any
}

// NewDict returns a Dict of keys, which are strings, and values in turn.
func NewDict(pairs ...any) *Dict {
	d := &Dict{values: make(map[any]any, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1])
	}
	return d
}

// Set puts a value under a key; a new key goes last.
func (d *Dict) Set(key string, value any) { d.put(key, key, value) }

// Get returns the value under a key.
func (d *Dict) Get(key string) (any, bool) {
	value, ok := d.values[key]
	return value, ok
}

func (d *Dict) put(key, hashed, value any) {
	if _, ok := d.values[hashed]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[hashed] = value
}

// setItem is Set for any key, and fails for what can't be one.
func (d *Dict) setItem(key, value any) error {
	hashed, err := hash(key)
	if err == nil {
		d.put(key, hashed, value)
	}
	return err
}

// find returns the value under any key, nothing for what can't be one.
func (d *Dict) find(key any) (any, bool) {
	hashed, err := hash(key)
	if err != nil {
		return nil, false
	}
	value, ok := d.values[hashed]
	return value, ok
}

// at is the value under a key that the dict has.
func (d *Dict) at(key any) any {
	value, _ := d.find(key)
	return value
}

func (d *Dict) getOr(name string) any {
	if value, ok := d.values[name]; ok {
		return value
	}
	return undefined{name}
}

// pairs are the items of a dict as tuples.
func (d *Dict) pairs() *List {
	list := &List{Items: make([]any, len(d.keys))}
	for i, key := range d.keys {
		list.Items[i] = &List{Items: []any{key, d.at(key)}, tuple: true}
	}
	return list
}

type (
	undefinedKey struct{}
	tupleKey     string
)

// maxTupleKey bounds the bytes of a tuple that is a key.
const maxTupleKey = 1 << 16

// hash is what stands for a key in a map: equal keys have equal ones.
func hash(key any) (any, error) {
	switch k := key.(type) {
	case markup:
		return string(k), nil
	case bool:
		n, _ := toInt(k)
		return n, nil
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<62 {
			return int64(k), nil
		}
		return k, nil
	case undefined:
		return undefinedKey{}, nil
	case *List:
		var b strings.Builder
		err := hashTuple(&b, k)
		return tupleKey(b.String()), err
	case *Dict, callable:
		return nil, fmt.Errorf("%s cannot be a key", typeName(key))
	}
	return key, nil
}

func hashTuple(b *strings.Builder, l *List) error {
	if !l.tuple {
		return errors.New("a list cannot be a key")
	}
	b.WriteByte('(')
	for _, item := range l.Items {
		if b.Len() > maxTupleKey {
			return errors.New("the tuple is too large for a key")
		}
		if inner, ok := item.(*List); ok {
			if err := hashTuple(b, inner); err != nil {
				return err
			}
			continue
		}
		hashed, err := hash(item)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%T %q,", hashed, fmt.Sprint(hashed))
	}
	b.WriteByte(')')
	return nil
}
