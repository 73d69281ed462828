package chat

// The grammar of expressions, by falling precedence: inline if, or, and, not, comparison, + -, ~, * / // %,
// **, sign, then filters and tests, then attributes, subscripts and calls.

import (
	"fmt"
	"strconv"
)

// exprParser parses expressions.
type exprParser struct {
	tokenStream
	templateNames
}

// tuple is one expression, or several with commas between.
func (p *exprParser) tuple() (expr, error) {
	first, err := p.expression()
	if err != nil || !p.is(tokOp, ",") {
		return first, err
	}
	items := []expr{first}
	for p.op(",") {
		if t := p.peek(); t.kind == tokClose || t.text == ")" && t.kind == tokOp {
			break
		}
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return listExpr{items, true}, nil
}

func (p *exprParser) expression() (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	unknowns := len(p.unknown)
	value, err := p.or()
	for err == nil && p.word("if") {
		value, err = p.inlineIf(value)
		p.dropUnknown(unknowns)
	}
	return value, err
}

func (p *exprParser) inlineIf(value expr) (expr, error) {
	c := condExpr{then: value}
	var err error
	if c.test, err = p.or(); err != nil {
		return nil, err
	}
	if p.word("else") {
		c.otherwise, err = p.expression()
	}
	return c, err
}

func (p *exprParser) or() (expr, error) {
	left, err := p.and()
	for err == nil && p.word("or") {
		var right expr
		right, err = p.and()
		left = logicExpr{left, right, true}
	}
	return left, err
}

func (p *exprParser) and() (expr, error) {
	left, err := p.not()
	for err == nil && p.word("and") {
		var right expr
		right, err = p.not()
		left = logicExpr{left, right, false}
	}
	return left, err
}

func (p *exprParser) not() (expr, error) {
	if !p.word("not") {
		return p.comparison()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	value, err := p.not()
	return notExpr{value}, err
}

func (p *exprParser) comparison() (expr, error) {
	left, err := p.binary(0)
	var links []compareLink
	for err == nil {
		op := p.comparator()
		if op == "" {
			break
		}
		var right expr
		right, err = p.binary(0)
		links = append(links, compareLink{op, right})
	}
	if len(links) == 0 {
		return left, err
	}
	return compareExpr{left, links}, err
}

func (p *exprParser) comparator() string {
	t := p.peek()
	switch {
	case t.kind == tokName && t.text == "in":
		p.at++
		return "in"
	case t.kind == tokName && t.text == "not" && p.tokens[p.at+1].kind == tokName && p.tokens[p.at+1].text == "in":
		p.at += 2
		return "not in"
	case t.kind != tokOp:
		return ""
	}
	switch t.text {
	case "==", "!=", "<", "<=", ">", ">=":
		p.at++
		return t.text
	}
	return ""
}

// binary parses the operators of one level and those that bind tighter.
func (p *exprParser) binary(level int) (expr, error) {
	levels := [][]string{{"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}}
	if level == len(levels) {
		return p.sign(true)
	}
	left, err := p.binary(level + 1)
	for err == nil {
		line, op := p.peek().line, ""
		for _, o := range levels[level] {
			if op == "" && p.op(o) {
				op = o
			}
		}
		if op == "" {
			break
		}
		var right expr
		right, err = p.binary(level + 1)
		left = binaryExpr{op, left, right, line}
	}
	return left, err
}

// sign parses a value with its sign; filters apply to what the sign is part of.
func (p *exprParser) sign(filters bool) (value expr, err error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch line := p.peek().line; {
	case p.op("-"):
		value, err = p.sign(false)
		value = binaryExpr{"-", constExpr{int64(0)}, value, line}
	case p.op("+"):
		value, err = p.sign(false)
	default:
		value, err = p.primary()
	}
	if err == nil {
		value, err = p.postfix(value)
	}
	if err != nil || !filters {
		return value, err
	}
	return p.filters(value)
}

func (p *exprParser) primary() (expr, error) {
	t := p.take()
	switch t.kind {
	case tokName:
		return p.nameOrConstant(t)
	case tokString:
		text := t.text
		for p.peek().kind == tokString {
			text += p.take().text
		}
		return constExpr{text}, nil
	case tokInt:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: number %s is too large", t.line, t.text)
		}
		return constExpr{n}, nil
	case tokFloat:
		f, _ := strconv.ParseFloat(t.text, 64)
		return constExpr{f}, nil
	case tokOp:
		switch t.text {
		case "(":
			return p.parenthesis()
		case "[":
			items, err := p.list("]")
			return listExpr{items, false}, err
		case "{":
			return p.dict()
		}
	}
	return nil, fmt.Errorf("line %d: unexpected %q", t.line, t.text)
}

func (p *exprParser) nameOrConstant(t token) (expr, error) {
	switch t.text {
	case "true", "True":
		return constExpr{true}, nil
	case "false", "False":
		return constExpr{false}, nil
	case "none", "None":
		return constExpr{nil}, nil
	case "caller", "varargs", "kwargs":
		p.reads[t.text], p.defined[t.text] = true, true
	case "self":
		return nil, fmt.Errorf("line %d: %s is not supported", t.line, t.text)
	}
	p.names[t.text] = true
	return nameExpr{t.text}, nil
}

func (p *exprParser) parenthesis() (expr, error) {
	if p.op(")") {
		return listExpr{nil, true}, nil
	}
	value, err := p.tuple()
	if err != nil {
		return nil, err
	}
	return value, p.expect(tokOp, ")")
}

func (p *exprParser) list(end string) (items []expr, err error) {
	for !p.op(end) {
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !p.op(",") && !p.is(tokOp, end) {
			return nil, p.errorf("expected %q, found %q", end, p.peek().text)
		}
	}
	return items, nil
}

func (p *exprParser) dict() (expr, error) {
	var d dictExpr
	for !p.op("}") {
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(tokOp, ":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		d = append(d, [2]expr{key, value})
		if !p.op(",") && !p.is(tokOp, "}") {
			return nil, p.errorf("expected %q, found %q", "}", p.peek().text)
		}
	}
	return d, nil
}
