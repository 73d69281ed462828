package chat

// What follows a value: attributes, subscripts, calls, filters and tests. Names that are not known are
// refused here, so that a template fails when it is loaded and not when a user's request first reaches them.
// Only where that depends on a condition they fail at use, as in jinja2: many templates never come there.

import (
	"fmt"
	"slices"
)

func (p *exprParser) postfix(value expr) (expr, error) {
	for {
		t := p.peek()
		var err error
		switch {
		case p.op("."):
			value, err = p.attribute(value, t.line)
		case p.op("["):
			value, err = p.subscript(value, t.line)
		case p.is(tokOp, "("):
			value, err = p.call(value)
		default:
			return value, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *exprParser) attribute(value expr, line int) (expr, error) {
	if p.peek().kind == tokInt {
		index, err := p.primary()
		return itemExpr{value, index, line}, err
	}
	name, err := p.name()
	return attrExpr{value, name, line}, err
}

func (p *exprParser) subscript(value expr, line int) (expr, error) {
	var parts [3]expr
	n := 0
	for !p.is(tokOp, "]") {
		if p.op(":") {
			if n++; n > 2 {
				return nil, p.errorf("a slice has three parts at most")
			}
			continue
		}
		part, err := p.expression()
		if err != nil {
			return nil, err
		}
		parts[n] = part
		if !p.is(tokOp, ":") {
			break
		}
	}
	if err := p.expect(tokOp, "]"); err != nil {
		return nil, err
	}
	if n > 0 {
		return sliceExpr{value, parts, line}, nil
	}
	if parts[0] == nil {
		return nil, p.errorf("an empty subscript")
	}
	return itemExpr{value, parts[0], line}, nil
}

func (p *exprParser) call(callee expr) (expr, error) {
	line := p.peek().line
	switch c := callee.(type) {
	case nameExpr:
		p.unknown = append(p.unknown, unknownName{fmt.Errorf("line %d: function %q is not supported", line, c.name), c.name})
	case attrExpr:
		if !isMethod(c.name) {
			p.addUnknown(fmt.Errorf("line %d: method %q is not supported", line, c.name))
		}
	}
	args, err := p.arguments()
	return callExpr{callee, args, line}, err
}

type argExprs struct {
	list        []expr
	names       []string
	namedValues []expr
}

// arguments parses a call's, brackets included.
func (p *exprParser) arguments() (a argExprs, err error) {
	if err := p.expect(tokOp, "("); err != nil {
		return a, err
	}
	for !p.op(")") {
		named := p.peek().kind == tokName && p.tokens[p.at+1].kind == tokOp && p.tokens[p.at+1].text == "="
		if named {
			a.names = append(a.names, p.take().text)
			p.at++
		}
		value, err := p.expression()
		if err != nil {
			return a, err
		}
		if named {
			a.namedValues = append(a.namedValues, value)
		} else {
			a.list = append(a.list, value)
		}
		if !p.op(",") && !p.is(tokOp, ")") {
			return a, p.errorf("expected %q, found %q", ")", p.peek().text)
		}
	}
	return a, nil
}

func (p *exprParser) filters(value expr) (expr, error) {
	for {
		var err error
		switch {
		case p.op("|"):
			value, err = p.filter(value)
		case p.word("is"):
			value, err = p.test(value)
		default:
			return value, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *exprParser) filter(value expr) (expr, error) {
	line := p.peek().line
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	apply, ok := filterOf(name)
	if !ok {
		unknown := fmt.Errorf("filter %q is not supported", name)
		p.addUnknown(at(line, unknown))
		apply = func(any, arguments) (any, error) { return nil, unknown }
	}
	f := filterExpr{value: value, name: name, apply: apply, line: line}
	if p.is(tokOp, "(") {
		f.args, err = p.arguments()
	}
	if unknownErr := f.checkNames(); unknownErr != nil {
		p.addUnknown(unknownErr)
	}
	return f, err
}

// checkNames refuses unknown filters and tests that are named in a string, as in map('upper').
func (f filterExpr) checkNames() error {
	if len(f.args.list) == 0 {
		return nil
	}
	place := map[string]int{"map": 0, "select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}
	i, names := place[f.name]
	if !names || i >= len(f.args.list) {
		return nil
	}
	name, ok := f.args.list[i].(constExpr)
	text, isText := name.value.(string)
	known := ok && isText
	if f.name == "map" && known {
		_, known = filterOf(text)
	} else if known {
		_, known = testOf(text)
	}
	if !known {
		return fmt.Errorf("line %d: %s: filter or test %v is not supported", f.line, f.name, name.value)
	}
	return nil
}

func (p *exprParser) test(value expr) (expr, error) {
	negated := p.word("not")
	line := p.peek().line
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	check, ok := testOf(name)
	if !ok {
		unknown := fmt.Errorf("test %q is not supported", name)
		p.addUnknown(at(line, unknown))
		check = func(any, arguments) (bool, error) { return false, unknown }
	}
	t := testExpr{value: value, check: check, negated: negated, line: line}
	switch {
	case p.is(tokOp, "("):
		t.args, err = p.arguments()
	case p.startsArgument():
		var arg expr
		if arg, err = p.primary(); err == nil {
			arg, err = p.postfix(arg)
		}
		t.args.list = []expr{arg}
	}
	return t, err
}

// startsArgument tells whether a test's argument follows without brackets.
func (p *exprParser) startsArgument() bool {
	t := p.peek()
	switch t.kind {
	case tokString, tokInt, tokFloat:
		return true
	case tokName:
		return !slices.Contains([]string{"else", "or", "and", "is", "if", "in", "not"}, t.text)
	case tokOp:
		return t.text == "[" || t.text == "{"
	}
	return false
}
