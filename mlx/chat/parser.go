package chat

// The grammar of expressions, by falling precedence: inline if, or, and, not, comparison, + -, ~, * / // %, **,
// sign, then filters and tests, then attributes, subscripts and calls.

import (
	"fmt"
	"strconv"
)

const deepestSource = 200 // nesting of expressions and blocks

type parser struct {
	tokens []token
	at     int
	depth  int
	macros map[string]bool // names of macros, wherever they are defined
	names  map[string]bool // names that are read
	calls  []token         // names that are called
	loops  int             // for loops around this place
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", p.peek().line, fmt.Sprintf(format, args...))
}

func (p *parser) is(kind tokenKind, text string) bool {
	t := p.peek()
	return t.kind == kind && t.text == text
}

func (p *parser) accept(kind tokenKind, text string) bool {
	if !p.is(kind, text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) op(text string) bool   { return p.accept(tokOp, text) }
func (p *parser) word(text string) bool { return p.accept(tokName, text) }

func (p *parser) expect(kind tokenKind, text string) error {
	if !p.accept(kind, text) {
		return p.errorf("expected %q, found %q", text, p.peek().text)
	}
	return nil
}

func (p *parser) name() (string, error) {
	if t := p.peek(); t.kind != tokName {
		return "", p.errorf("expected a name, found %q", t.text)
	}
	return p.take().text, nil
}

func (p *parser) deeper() error {
	if p.depth++; p.depth > deepestSource {
		return p.errorf("nested deeper than %d", deepestSource)
	}
	return nil
}

// tuple is one expression, or several with commas between.
func (p *parser) tuple() (expr, error) {
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

func (p *parser) expression() (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	value, err := p.or()
	for err == nil && p.word("if") {
		var c condExpr
		c.then = value
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.word("else") {
			c.otherwise, err = p.expression()
		}
		value = c
	}
	return value, err
}

func (p *parser) or() (expr, error) {
	left, err := p.and()
	for err == nil && p.word("or") {
		var right expr
		right, err = p.and()
		left = logicExpr{left, right, true}
	}
	return left, err
}

func (p *parser) and() (expr, error) {
	left, err := p.not()
	for err == nil && p.word("and") {
		var right expr
		right, err = p.not()
		left = logicExpr{left, right, false}
	}
	return left, err
}

func (p *parser) not() (expr, error) {
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

func (p *parser) comparison() (expr, error) {
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

func (p *parser) comparator() string {
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
func (p *parser) binary(level int) (expr, error) {
	levels := [][]string{{"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}}
	if level == len(levels) {
		return p.signed(true)
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
		if (op == "+" || op == "%") && (isSafe(left) || isSafe(right)) {
			return nil, fmt.Errorf("line %d: %s of a value marked safe is not supported: it would escape the other", line, op)
		}
		left = binaryExpr{op, left, right, line}
	}
	return left, err
}

func isSafe(e expr) bool {
	f, ok := e.(filterExpr)
	return ok && f.name == "safe"
}

// signed is a value with its sign; filters apply to what the sign is part of.
func (p *parser) signed(filters bool) (value expr, err error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch line := p.peek().line; {
	case p.op("-"):
		value, err = p.signed(false)
		value = binaryExpr{"-", constExpr{int64(0)}, value, line}
	case p.op("+"):
		value, err = p.signed(false)
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

func (p *parser) primary() (expr, error) {
	t := p.take()
	switch t.kind {
	case tokName:
		return p.named(t)
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

func (p *parser) named(t token) (expr, error) {
	switch t.text {
	case "true", "True":
		return constExpr{true}, nil
	case "false", "False":
		return constExpr{false}, nil
	case "none", "None":
		return constExpr{nil}, nil
	case "caller", "varargs", "kwargs", "self":
		return nil, fmt.Errorf("line %d: %s is not supported", t.line, t.text)
	}
	p.names[t.text] = true
	return nameExpr{t.text}, nil
}

func (p *parser) parenthesis() (expr, error) {
	if p.op(")") {
		return listExpr{nil, true}, nil
	}
	value, err := p.tuple()
	if err != nil {
		return nil, err
	}
	return value, p.expect(tokOp, ")")
}

func (p *parser) list(end string) (items []expr, err error) {
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

func (p *parser) dict() (expr, error) {
	var d dictExpr
	for !p.op("}") {
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if c, ok := key.(constExpr); ok && !isString(c.value) {
			return nil, p.errorf("only strings can be keys of a dict, not %s", repr(c.value))
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
