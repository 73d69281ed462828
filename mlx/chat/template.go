// Package chat renders conversations with the chat templates that models come with: a subset of Jinja, with
// the results that jinja2 gives under Hugging Face's settings.
//
// A template that uses what this package does not know is refused by Parse, with the line; a conversation
// that the template itself refuses gives a *RaisedError. Rendering is bounded in steps, depth, and bytes that
// it makes, and a Template is safe for concurrent use.
package chat

import (
	"fmt"
	"strings"
	"time"
)

// Template is a parsed chat template.
type Template struct {
	source string
	body   []statement
	names  map[string]bool
}

// Parse reads a template and refuses what it could not render.
func Parse(source string) (*Template, error) {
	t, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("load the chat template: %w", err)
	}
	return t, nil
}

func parse(source string) (*Template, error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{exprParser: exprParser{
		tokenStream{tokens: tokens}, templateNames{defined: make(map[string]bool), names: make(map[string]bool), reads: make(map[string]bool)},
	}}
	body, err := p.body()
	if err != nil {
		return nil, err
	}
	if err := p.refusal(); err != nil {
		return nil, err
	}
	return &Template{source, body, p.names}, nil
}

// Source is what the template was parsed from.
func (t *Template) Source() string { return t.source }

// UsesTools tells whether the template looks at the tools of a request.
func (t *Template) UsesTools() bool { return t.names["tools"] }

// Uses tells whether the template reads a variable of that name.
func (t *Template) Uses(name string) bool { return t.names[name] }

// Render returns the text of the template with variables; now is what strftime_now tells.
func (t *Template) Render(vars *Dict, now time.Time) (string, error) {
	return t.render(vars, now, nil)
}

func (t *Template) render(vars *Dict, now time.Time, alive func() bool) (string, error) {
	s := &scope{vars: functions(now), out: &strings.Builder{}, run: &rendering{alive: alive}}
	if vars != nil {
		for _, key := range vars.keys {
			if name, ok := key.(string); ok {
				s.vars[name] = vars.at(name)
			}
		}
	}
	if err := runAll(s, t.body); err != nil {
		return "", fmt.Errorf("render the chat template: %w", err)
	}
	return s.out.String(), nil
}
