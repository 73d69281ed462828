package chat

// The statements of a template: what they are and how they are read.

import (
	"fmt"
	"slices"
)

type statement interface {
	run(s *scope) error
}

type (
	textStmt  string
	printStmt struct {
		value expr
		line  int
	}
	branch struct {
		test expr // nil: else
		body []statement
	}
	ifStmt  []branch
	forStmt struct {
		targets             []string
		iterable, condition expr
		body, otherwise     []statement
		line                int
	}
	setStmt struct {
		targets   []string
		attribute string // of a namespace, "" where a name is set
		value     expr
		line      int
	}
	captureStmt struct { // {% set x %}…{% endset %} and {% filter f %}…{% endfilter %}
		target string // "": printed
		filter expr   // of capturedName, nil: none
		body   []statement
	}
	bodyStmt []statement // {% generation %}
	jumpStmt string      // break or continue
)

// capturedName stands for the captured text in a captureStmt's filter. No template can spell it.
const capturedName = "(captured)"

// parser parses a template's statements.
type parser struct {
	exprParser
	loops int // for loops around this place
}

// body parses statements up to one of the given words, which it leaves to be read.
func (p *parser) body(ends ...string) ([]statement, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var list []statement
	for {
		t := p.take()
		switch t.kind {
		case tokText:
			list = append(list, textStmt(t.text))
		case tokOpenPrint:
			value, err := p.tuple()
			if err != nil {
				return nil, err
			}
			list = append(list, printStmt{value, t.line})
			if err := p.expect(tokClose, "}}"); err != nil {
				return nil, err
			}
		case tokOpenBlock:
			if word := p.peek(); word.kind == tokName && slices.Contains(ends, word.text) {
				return list, nil
			}
			next, err := p.block()
			if err != nil {
				return nil, err
			}
			list = append(list, next)
		default:
			if len(ends) > 0 {
				return nil, fmt.Errorf("line %d: the template ends before %q", t.line, ends[len(ends)-1])
			}
			return list, nil
		}
	}
}

// endBlock reads the word that ends a block, and the end of its tag.
func (p *parser) endBlock(word string) error {
	if err := p.expect(tokName, word); err != nil {
		return err
	}
	return p.closeTag()
}

func (p *parser) closeTag() error { return p.expect(tokClose, "%}") }

func (p *parser) block() (statement, error) {
	word := p.take()
	switch word.text {
	case "if":
		return p.ifBlock()
	case "for":
		return p.forBlock(word.line)
	case "set":
		return p.setBlock(word.line)
	case "macro":
		return p.macroBlock()
	case "call":
		return p.callBlock()
	case "filter":
		return p.filterBlock()
	case "generation":
		return p.generationBlock()
	case "break", "continue":
		if p.loops == 0 {
			return nil, fmt.Errorf("line %d: %s outside of a loop", word.line, word.text)
		}
		return jumpStmt(word.text), p.closeTag()
	}
	return nil, fmt.Errorf("line %d: statement %q is not supported", word.line, word.text)
}

func (p *parser) ifBlock() (statement, error) {
	defer p.dropUnknown(len(p.unknown))
	var s ifStmt
	for word := "if"; word != "endif"; {
		var b branch
		var err error
		if word != "else" {
			if b.test, err = p.tuple(); err != nil {
				return nil, err
			}
		}
		if err = p.closeTag(); err != nil {
			return nil, err
		}
		ends := []string{"elif", "else", "endif"}
		if word == "else" {
			ends = ends[2:]
		}
		if b.body, err = p.body(ends...); err != nil {
			return nil, err
		}
		s = append(s, b)
		word = p.take().text
	}
	return s, p.closeTag()
}

func (p *parser) targets() ([]string, error) {
	bracket := p.op("(")
	var names []string
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		p.defined[name] = true
		if !p.op(",") {
			break
		}
	}
	if bracket {
		return names, p.expect(tokOp, ")")
	}
	return names, nil
}

func (p *parser) forBlock(line int) (statement, error) {
	s := forStmt{line: line}
	var err error
	if s.targets, err = p.targets(); err != nil {
		return nil, err
	}
	if err = p.expect(tokName, "in"); err != nil {
		return nil, err
	}
	if s.iterable, err = p.loopSource(); err != nil {
		return nil, err
	}
	if p.word("if") {
		if s.condition, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if err = p.closeTag(); err != nil { // `recursive` is refused here
		return nil, err
	}
	p.loops++
	s.body, err = p.body("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if p.word("else") {
		if err = p.closeTag(); err != nil {
			return nil, err
		}
		if s.otherwise, err = p.body("endfor"); err != nil {
			return nil, err
		}
	}
	return s, p.endBlock("endfor")
}

// loopSource is what a loop runs over: no inline if, since an `if` there filters.
func (p *parser) loopSource() (expr, error) {
	first, err := p.or()
	items := []expr{first}
	for err == nil && p.op(",") {
		var next expr
		next, err = p.or()
		items = append(items, next)
	}
	if len(items) > 1 {
		return listExpr{items, true}, err
	}
	return first, err
}

func (p *parser) setBlock(line int) (statement, error) {
	names, err := p.targets()
	if err != nil {
		return nil, err
	}
	s := setStmt{targets: names, line: line}
	if len(names) == 1 && p.op(".") {
		if s.attribute, err = p.name(); err != nil {
			return nil, err
		}
		p.names[names[0]] = true
	}
	if p.op("=") {
		if s.value, err = p.tuple(); err != nil {
			return nil, err
		}
		return s, p.closeTag()
	}
	if len(names) != 1 || s.attribute != "" {
		return nil, p.errorf("expected \"=\", found %q", p.peek().text)
	}
	return p.capture(names[0], "endset")
}

func (p *parser) filterBlock() (statement, error) {
	p.at-- // the word `filter` stands where a filter's bar would
	p.tokens[p.at] = token{tokOp, "|", p.peek().line}
	return p.capture("", "endfilter")
}

// capture reads an optional filter and a body.
func (p *parser) capture(target, end string) (statement, error) {
	s := captureStmt{target: target}
	var err error
	if p.is(tokOp, "|") {
		if s.filter, err = p.filters(nameExpr{capturedName}); err != nil {
			return nil, err
		}
	}
	if err = p.closeTag(); err != nil {
		return nil, err
	}
	if s.body, err = p.body(end); err != nil {
		return nil, err
	}
	return s, p.endBlock(end)
}

func (p *parser) generationBlock() (statement, error) {
	if err := p.closeTag(); err != nil {
		return nil, err
	}
	body, err := p.body("endgeneration")
	if err != nil {
		return nil, err
	}
	return bodyStmt(body), p.endBlock("endgeneration")
}
