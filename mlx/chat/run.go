package chat

// The execution of statements, and the bounds that every rendering has.

import (
	"errors"
	"fmt"
	"strings"
)

const (
	mostOutput  = 64 << 20 // bytes of one string
	mostRange   = 100_000  // items of range(), as in jinja2's sandbox
	mostSteps   = 10_000_000
	deepestCall = 100 // macros in macros
)

var (
	errTooLarge = fmt.Errorf("a text of more than %d bytes, or a list of more than %d items", mostOutput, mostRange)
	errTooLong  = fmt.Errorf("more than %d steps", mostSteps)
	errTooDeep  = fmt.Errorf("macros call each other deeper than %d", deepestCall)
	// ErrLeft says that nobody waited for the text any more.
	ErrLeft     = errors.New("nobody waits for the text")
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

// rendering is one run of a template.
type rendering struct {
	steps, depth int
	made         int // bytes of values
	alive        func() bool
}

// stepsBetweenLooks is how many steps are made between two questions whether somebody waits for the text.
const stepsBetweenLooks = 256

func (r *rendering) step() error {
	if r.steps++; r.steps > mostSteps {
		return errTooLong
	}
	if r.alive != nil && r.steps%stepsBetweenLooks == 1 && !r.alive() {
		return ErrLeft
	}
	return nil
}

func (r *rendering) fits(v any) error {
	bytes := 16
	switch v := v.(type) {
	case string:
		bytes += len(v)
	case markup:
		bytes += len(v)
	case *List:
		if len(v.Items) > maxItems {
			return errTooLarge
		}
		bytes += 16 * len(v.Items)
	}
	if bytes > mostOutput+16 {
		return errTooLarge
	}
	if err := r.charge(bytes); err != nil {
		return err
	}
	return r.step()
}

// scope holds the variables of a template, a loop's round or a macro's call, and where their text goes.
type scope struct {
	parent *scope
	vars   map[string]any
	out    *strings.Builder
	run    *rendering
}

func (s *scope) inner() *scope {
	return &scope{parent: s, vars: make(map[string]any), out: s.out, run: s.run}
}

func (s *scope) lookup(name string) any {
	for at := s; at != nil; at = at.parent {
		if v, ok := at.vars[name]; ok {
			return v
		}
	}
	return undefined{name}
}

func (s *scope) write(text string) error {
	if s.out.Len()+len(text) > mostOutput {
		return errTooLarge
	}
	s.out.WriteString(text)
	return s.run.step()
}

// print writes the text of a value.
func (s *scope) print(v any) error {
	if isContainer(v) {
		if err := s.run.weigh(v); err != nil {
			return err
		}
	}
	return s.write(str(v))
}

func runAll(s *scope, list []statement) error {
	for _, each := range list {
		if err := each.run(s); err != nil {
			return err
		}
	}
	return nil
}

func (t textStmt) run(s *scope) error { return s.write(string(t)) }

func (p printStmt) run(s *scope) error {
	v, err := p.value.eval(s)
	if err != nil {
		return at(p.line, err)
	}
	return at(p.line, s.print(v))
}

func (b bodyStmt) run(s *scope) error { return runAll(s, b) }

func (j jumpStmt) run(*scope) error {
	if j == "break" {
		return errBreak
	}
	return errContinue
}

func (i ifStmt) run(s *scope) error {
	for _, b := range i {
		if b.test == nil {
			return runAll(s, b.body)
		}
		v, err := b.test.eval(s)
		if err != nil {
			return err
		}
		if truth(v) {
			return runAll(s, b.body)
		}
	}
	return nil
}

func (t setStmt) run(s *scope) error {
	v, err := t.value.eval(s)
	if err != nil {
		return at(t.line, err)
	}
	if t.attribute == "" {
		return at(t.line, bind(s, t.targets, v))
	}
	ns, ok := s.lookup(t.targets[0]).(*namespace)
	if !ok {
		return at(t.line, fmt.Errorf("cannot set an attribute of %s: only of a namespace", t.targets[0]))
	}
	ns.Set(t.attribute, v)
	return nil
}

// bind gives names their values; several names take the items of one value.
func bind(s *scope, names []string, v any) error {
	if len(names) == 1 {
		s.vars[names[0]] = v
		return nil
	}
	items, err := iterate(v)
	if err == nil && len(items) != len(names) {
		err = fmt.Errorf("%d values for %d names", len(items), len(names))
	}
	if err != nil {
		return err
	}
	for i, name := range names {
		s.vars[name] = items[i]
	}
	return nil
}

func (c captureStmt) run(s *scope) error {
	inner := s.inner()
	inner.out = &strings.Builder{}
	if err := runAll(inner, c.body); err != nil {
		return err
	}
	var v any = inner.out.String()
	if c.filter != nil {
		inner.vars[capturedName] = v
		var err error
		if v, err = c.filter.eval(inner); err != nil {
			return err
		}
	}
	if c.target == "" {
		return s.print(v)
	}
	s.vars[c.target] = v
	return nil
}
