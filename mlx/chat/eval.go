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
		if isContainer(pair[0]) {
			if err := s.run.weigh(pair[0]); err != nil {
				return nil, err
			}
		}
		if err := d.setItem(pair[0], pair[1]); err != nil {
			return nil, err
		}
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
		if isContainer(left) {
			if err := s.run.weigh(left, right); err != nil {
				return nil, err
			}
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

func (e callExpr) eval(s *scope) (any, error) {
	callee, err := e.callee.eval(s)
	if err != nil {
		return nil, err
	}
	args, err := e.args.eval(s)
	if err != nil {
		return nil, err
	}
	v, err := call(callee, args)
	if err == nil {
		err = s.run.fits(v)
	}
	return v, at(e.line, err)
}

func call(callee any, args arguments) (any, error) {
	switch f := callee.(type) {
	case callable:
		return f.call(args)
	case undefined:
		return nil, fmt.Errorf("%s is undefined, or a template may not call it", f.name)
	}
	return nil, fmt.Errorf("%s cannot be called", typeName(callee))
}

func (a argExprs) eval(s *scope) (arguments, error) {
	list, err := evalAll(s, a.list)
	if err != nil {
		return arguments{}, err
	}
	values, err := evalAll(s, a.namedValues)
	named := make([]namedValue, len(values))
	for i, v := range values {
		named[i] = namedValue{a.names[i], v}
	}
	return arguments{s.run, list, named}, err
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

// reverseItems returns a copy in the other order.
func reverseItems(items []any) []any {
	items = slices.Clone(items)
	slices.Reverse(items)
	return items
}
