package chat

// The evaluation of expressions.

import (
	"fmt"
	"slices"
)

type expr interface {
	eval(s *scope) (any, error)
}

type (
	constExpr struct{ value any }
	nameExpr  struct{ name string }
	listExpr  struct {
		items []expr
		tuple bool
	}
	dictExpr  [][2]expr
	condExpr  struct{ test, then, otherwise expr }
	notExpr   struct{ value expr }
	logicExpr struct {
		left, right expr
		or          bool
	}
	compareLink struct {
		op    string
		right expr
	}
	compareExpr struct {
		left  expr
		links []compareLink
	}
	binaryExpr struct {
		op          string
		left, right expr
		line        int
	}
	attrExpr struct {
		value expr
		name  string
		line  int
	}
	itemExpr struct {
		value, index expr
		line         int
	}
	sliceExpr struct {
		value expr
		parts [3]expr
		line  int
	}
	callExpr struct {
		callee expr
		args   argExprs
		line   int
	}
	filterExpr struct {
		value expr
		name  string
		apply filter
		args  argExprs
		line  int
	}
	testExpr struct {
		value   expr
		check   test
		args    argExprs
		negated bool
		line    int
	}
)

// at adds the line to an error that has none yet.
func at(line int, err error) error {
	if err == nil {
		return nil
	}
	switch err.(type) {
	case *RaisedError, *lineError:
		return err
	}
	return &lineError{line, err}
}

type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

func (e constExpr) eval(*scope) (any, error) { return e.value, nil }

func (e nameExpr) eval(s *scope) (any, error) { return s.lookup(e.name), s.run.step() }

func (e listExpr) eval(s *scope) (any, error) {
	items, err := evalAll(s, e.items)
	return &List{Items: items, tuple: e.tuple}, err
}

func evalAll(s *scope, list []expr) ([]any, error) {
	var values []any
	for _, each := range list {
		v, err := each.eval(s)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (e dictExpr) eval(s *scope) (any, error) {
	d := NewDict()
	for _, entry := range e {
		pair, err := evalAll(s, entry[:])
		if err != nil {
			return nil, err
		}
		key, err := asText(pair[0], "a key of a dict")
		if err != nil {
			return nil, err
		}
		d.Set(key, pair[1])
	}
	return d, nil
}

func (e condExpr) eval(s *scope) (any, error) {
	test, err := e.test.eval(s)
	switch {
	case err != nil:
		return nil, err
	case truth(test):
		return e.then.eval(s)
	case e.otherwise == nil:
		return undefined{"the inline if expression"}, nil
	}
	return e.otherwise.eval(s)
}

func (e notExpr) eval(s *scope) (any, error) {
	v, err := e.value.eval(s)
	return !truth(v), err
}

func (e logicExpr) eval(s *scope) (any, error) {
	v, err := e.left.eval(s)
	if err != nil || truth(v) == e.or {
		return v, err
	}
	return e.right.eval(s)
}

func (e compareExpr) eval(s *scope) (any, error) {
	left, err := e.left.eval(s)
	for _, link := range e.links {
		if err != nil {
			return nil, err
		}
		right, err := link.right.eval(s)
		if err != nil {
			return nil, err
		}
		holds, err := relate(link.op, left, right)
		if err != nil || !holds {
			return false, err
		}
		left = right
	}
	return true, err
}

func relate(op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return equal(a, b), nil
	case "!=":
		return !equal(a, b), nil
	case "in":
		return contains(b, a)
	case "not in":
		in, err := contains(b, a)
		return !in, err
	}
	c, err := compare(a, b)
	switch op {
	case "<":
		return c < 0, err
	case "<=":
		return c <= 0, err
	case ">":
		return c > 0, err
	}
	return c >= 0, err
}

func (e attrExpr) eval(s *scope) (any, error) {
	v, err := e.value.eval(s)
	if err != nil {
		return nil, err
	}
	found, err := attribute(v, e.name)
	return found, at(e.line, err)
}

// attribute is v.name: methods go before keys, as in Python.
func attribute(v any, name string) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, fmt.Errorf("%s is undefined: it has no %q", v.what, name)
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

func (d *Dict) getOr(name string) any {
	if value, ok := d.values[name]; ok {
		return value
	}
	return undefined{name}
}

func (e itemExpr) eval(s *scope) (any, error) {
	pair, err := evalAll(s, []expr{e.value, e.index})
	if err != nil {
		return nil, err
	}
	found, err := item(pair[0], pair[1])
	return found, at(e.line, err)
}

// item is v[index]: keys go before methods.
func item(v, index any) (any, error) {
	switch key := index.(type) {
	case string:
		if d, ok := v.(*Dict); ok {
			if value, ok := d.values[key]; ok {
				return value, nil
			}
		}
		return attribute(v, key)
	case int64:
		return place(v, key)
	case undefined:
		return nil, fmt.Errorf("the subscript %s is undefined", key.what)
	}
	return undefined{str(index)}, nil
}

func place(v any, i int64) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, fmt.Errorf("%s is undefined: it has no items", v.what)
	case string, *List:
		items, err := iterate(v)
		if i < 0 {
			i += int64(len(items))
		}
		if i >= 0 && i < int64(len(items)) {
			return items[i], err
		}
	}
	return undefined{fmt.Sprintf("item %d", i)}, nil
}

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
	var kept []any
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		kept = append(kept, items[i])
	}
	if _, ok := v.(string); ok {
		return joinText(kept, ""), nil
	}
	list, ok := v.(*List)
	return &List{Items: kept, tuple: ok && list.tuple}, nil
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

func (e callExpr) eval(s *scope) (any, error) {
	callee, err := e.callee.eval(s)
	if err != nil {
		return nil, err
	}
	f, ok := callee.(callable)
	if !ok {
		return nil, at(e.line, fmt.Errorf("%s cannot be called", typeName(callee)))
	}
	args, err := e.args.eval(s)
	if err != nil {
		return nil, err
	}
	v, err := f.call(args)
	return v, at(e.line, err)
}

func (a argExprs) eval(s *scope) (arguments, error) {
	list, err := evalAll(s, a.list)
	if err != nil {
		return arguments{}, err
	}
	values, err := evalAll(s, a.named)
	named := make(map[string]any, len(values))
	for i, v := range values {
		named[a.names[i]] = v
	}
	return arguments{list, named}, err
}

func (e filterExpr) eval(s *scope) (any, error) {
	v, err := e.value.eval(s)
	if err != nil {
		return nil, err
	}
	args, err := e.args.eval(s)
	if err != nil {
		return nil, err
	}
	out, err := e.apply(v, args)
	if err == nil {
		err = s.run.fits(out)
	}
	return out, at(e.line, err)
}

func (e testExpr) eval(s *scope) (any, error) {
	v, err := e.value.eval(s)
	if err != nil {
		return nil, err
	}
	args, err := e.args.eval(s)
	if err != nil {
		return nil, err
	}
	holds, err := e.check(v, args)
	return holds != e.negated, at(e.line, err)
}

// reversed is a copy in the other order.
func reversed(items []any) []any {
	items = slices.Clone(items)
	slices.Reverse(items)
	return items
}
