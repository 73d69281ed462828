package chat

// The evaluation of attributes, items and slices.

import (
	"fmt"
)

func (e attrExpr) eval(s *scope) (any, error) {
	v, err := e.value.eval(s)
	if err != nil {
		return nil, err
	}
	value, err := attribute(v, e.name)
	return value, at(e.line, err)
}

// attribute is v.name: methods go before keys, as in Python.
func attribute(v any, name string) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, fmt.Errorf("%s is undefined: it has no %q", v.name, name)
	case *namespace:
		return v.getOr(name), nil
	case *loopState:
		return v.attribute(name), nil
	}
	if m, ok := method(v, name); ok {
		return m, nil
	}
	if d, ok := v.(*Dict); ok {
		return d.getOr(name), nil
	}
	return undefined{name}, nil
}

func (e itemExpr) eval(s *scope) (any, error) {
	pair, err := evalAll(s, []expr{e.value, e.index})
	if err != nil {
		return nil, err
	}
	if isContainer(pair[1]) {
		if err := s.run.weigh(pair[1]); err != nil {
			return nil, at(e.line, err)
		}
	}
	value, err := item(pair[0], pair[1])
	return value, at(e.line, err)
}

// item is v[index]: keys go before methods.
func item(v, index any) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, fmt.Errorf("%s is undefined: it has no items", v.name)
	case *Dict:
		if value, ok := v.find(index); ok {
			return value, nil
		}
	case string, markup, *List:
		if i, ok := toInt(index); ok {
			return elementAt(v, i)
		}
	}
	if name, ok := textOf(index); ok {
		return attribute(v, name)
	}
	return undefined{"an item"}, nil
}

// elementAt returns an item of a list or a character of a string.
func elementAt(v any, i int64) (any, error) {
	items, err := iterate(v)
	if i < 0 {
		i += int64(len(items))
	}
	if i < 0 || i >= int64(len(items)) {
		return undefined{fmt.Sprintf("item %d", i)}, err
	}
	if text, ok := items[i].(string); ok && !isList(v) {
		return markLike(v, text), err
	}
	return items[i], err
}

func isList(v any) bool { _, ok := v.(*List); return ok }

func (e sliceExpr) eval(s *scope) (any, error) {
	v, err := e.value.eval(s)
	var parts [3]any
	for i, part := range e.parts {
		if part != nil && err == nil {
			parts[i], err = part.eval(s)
		}
	}
	if err != nil {
		return nil, err
	}
	found, err := slice(v, parts)
	return found, at(e.line, err)
}

func slice(v any, parts [3]any) (any, error) {
	if _, ok := v.(*Dict); ok {
		return undefined{"a slice of a dict"}, nil
	}
	items, err := iterate(v)
	if err != nil {
		return undefined{"a slice"}, nil
	}
	from, to, step, err := bounds(parts, int64(len(items)))
	if err != nil {
		return nil, err
	}
	var chosen []any
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		chosen = append(chosen, items[i])
	}
	if isString(v) {
		return markLike(v, joinText(chosen, "")), nil
	}
	list, ok := v.(*List)
	return &List{Items: chosen, tuple: ok && list.tuple}, nil
}

// bounds works out a slice of n items as Python does.
func bounds(parts [3]any, n int64) (from, to, step int64, err error) {
	step, from, to = 1, 0, n
	if parts[2] != nil {
		var ok bool
		if step, ok = toInt(parts[2]); !ok || step == 0 {
			return 0, 0, 0, fmt.Errorf("the step of a slice must be a whole number other than 0")
		}
	}
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
		from, to = high, low
	}
	for i, limit := range []*int64{&from, &to} {
		if parts[i] == nil {
			continue
		}
		at, ok := toInt(parts[i])
		if !ok {
			return 0, 0, 0, fmt.Errorf("a slice needs whole numbers, not %s", typeName(parts[i]))
		}
		if at < 0 {
			at += n
		}
		*limit = min(max(at, low), high)
	}
	return from, to, max(min(step, n+1), -n-1), nil
}
