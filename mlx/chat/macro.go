package chat

// Macros, and calls of them with a body: {% call m() %}…{% endcall %}, which the macro has as caller().

import (
	"fmt"
	"slices"
	"strings"
)

type macroStmt struct {
	name     string
	params   []string
	defaults []expr // nil: none
	body     []statement
	reads    map[string]bool // of caller, varargs and kwargs: those that the body reads
}

type callStmt struct {
	call callExpr
	body macroStmt
}

// macroNames are the names that a macro has besides its parameters, if it reads them.
func macroNames() []string { return []string{"caller", "varargs", "kwargs"} }

func (m macroStmt) run(s *scope) error {
	s.vars[m.name] = m.bindTo(s)
	return nil
}

func (m macroStmt) bindTo(s *scope) callable {
	return callable{m.name, func(args arguments) (any, error) { return m.call(s, args) }}
}

func (m macroStmt) call(definition *scope, args arguments) (any, error) {
	s := definition.inner()
	s.out = &strings.Builder{}
	if s.run.depth++; s.run.depth > deepestCall {
		return nil, errTooDeep
	}
	defer func() { s.run.depth-- }()
	if err := m.bindParameters(s, args); err != nil {
		return nil, err
	}
	if err := m.bindRest(s, args); err != nil {
		return nil, err
	}
	if err := runAll(s, m.body); err != nil {
		return nil, err
	}
	return s.out.String(), nil
}

func (m macroStmt) bindParameters(s *scope, args arguments) error {
	for i, name := range m.params {
		v := args.get(i, name, undefined{name})
		if _, missing := v.(undefined); missing && m.defaults[i] != nil {
			var err error
			if v, err = m.defaults[i].eval(s); err != nil {
				return err
			}
		}
		s.vars[name] = v
	}
	return nil
}

// bindRest binds or refuses the arguments that have no parameter.
func (m macroStmt) bindRest(s *scope, args arguments) error {
	rest, kwargs := &List{tuple: true}, NewDict()
	if len(args.list) > len(m.params) {
		rest.Items = args.list[len(m.params):]
	}
	var caller any = undefined{"caller"}
	for _, n := range args.named {
		switch {
		case n.name == "caller" && m.reads["caller"]:
			caller = n.value
		case !slices.Contains(m.params, n.name):
			kwargs.Set(n.name, n.value)
		}
	}
	if len(rest.Items) > 0 && !m.reads["varargs"] {
		return fmt.Errorf("macro %s takes %d arguments, not %d", m.name, len(m.params), len(args.list))
	}
	if len(kwargs.keys) > 0 && !m.reads["kwargs"] {
		return fmt.Errorf("macro %s has no parameter %q", m.name, str(kwargs.keys[0]))
	}
	for i, v := range []any{caller, rest, kwargs} {
		if name := macroNames()[i]; m.reads[name] && !slices.Contains(m.params, name) {
			s.vars[name] = v
		}
	}
	return nil
}

func (c callStmt) run(s *scope) error {
	callee, err := c.call.callee.eval(s)
	if err != nil {
		return err
	}
	args, err := c.call.args.eval(s)
	if err != nil {
		return err
	}
	args.named = append(args.named, namedValue{"caller", c.body.bindTo(s)})
	v, err := call(callee, args)
	if err != nil {
		return at(c.call.line, err)
	}
	return at(c.call.line, s.print(v))
}

func (p *parser) macroBlock() (statement, error) {
	var s macroStmt
	var err error
	if s.name, err = p.name(); err != nil {
		return nil, err
	}
	p.defined[s.name] = true
	if err = p.parameters(&s); err != nil {
		return nil, err
	}
	return s, p.macroBody(&s, "endmacro")
}

// callBlock reads {% call m() %} or, where the macro hands something to its caller, {% call(x) m() %}.
func (p *parser) callBlock() (statement, error) {
	s := callStmt{body: macroStmt{name: "caller"}}
	var err error
	if p.is(tokOp, "(") {
		if err = p.parameters(&s.body); err != nil {
			return nil, err
		}
	}
	line := p.peek().line
	expression, err := p.expression()
	if err != nil {
		return nil, err
	}
	var ok bool
	if s.call, ok = expression.(callExpr); !ok {
		return nil, fmt.Errorf("line %d: a call block needs a call", line)
	}
	err = p.macroBody(&s.body, "endcall")
	return s, err
}

func (p *parser) macroBody(s *macroStmt, end string) error {
	if err := p.closeTag(); err != nil {
		return err
	}
	loops, reads := p.loops, p.reads
	p.loops, p.reads = 0, make(map[string]bool)
	body, err := p.body(end)
	s.body, s.reads = body, p.reads
	p.loops, p.reads = loops, reads
	if err != nil {
		return err
	}
	return p.endBlock(end)
}

func (p *parser) parameters(s *macroStmt) error {
	if err := p.expect(tokOp, "("); err != nil {
		return err
	}
	for !p.op(")") {
		name, err := p.name()
		if err != nil {
			return err
		}
		p.defined[name] = true
		var value expr
		if p.op("=") {
			if value, err = p.expression(); err != nil {
				return err
			}
		}
		s.params, s.defaults = append(s.params, name), append(s.defaults, value)
		if !p.op(",") && !p.is(tokOp, ")") {
			return p.errorf("expected \")\", found %q", p.peek().text)
		}
	}
	return nil
}
