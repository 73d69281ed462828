package toolcall

import (
	"encoding/json"
	"strings"

	"github.com/agent-memory/agent-memory/platform/exact"
)

// verdict tells what a beginning of text is.
type verdict int

const (
	notCall   verdict = iota // no call, whatever comes
	undecided                // more is needed
	isCall
)

// jsonSpan returns where the object or array that text begins with ends.
func jsonSpan(text string) (end int, found verdict) {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1, isCall
			}
		}
	}
	return 0, undecided
}

// callKeys are the keys that a call has in one syntax or another.
func callKeys() []string {
	return []string{"name", "arguments", "parameters", "type", "id", "function"}
}

// plausible tells whether an object can be a call, by as much of its first key as is there.
func plausible(object string) bool {
	rest := strings.TrimLeft(object[1:], space)
	if rest == "" {
		return true
	}
	if rest[0] != '"' {
		return false
	}
	key, _, whole := strings.Cut(rest[1:], `"`)
	for _, k := range callKeys() {
		if key == k || !whole && strings.HasPrefix(k, key) {
			return true
		}
	}
	return false
}

// object reads the call that text begins with.
func (p *Parser) object(text string, bare bool) (c Call, n int, found verdict) {
	if text == "" {
		return c, 0, undecided
	}
	if text[0] != '{' || !plausible(text) {
		return c, 0, notCall
	}
	n, found = jsonSpan(text)
	if found != isCall {
		return c, n, found
	}
	c, ok := p.decode(text[:n], bare)
	if !ok {
		return c, 0, notCall
	}
	return c, n, isCall
}

// writtenCall is a call as a model writes it. Some models put all of it into "function".
type writtenCall struct {
	Name       *string         `json:"name"`
	Arguments  json.RawMessage `json:"arguments"`
	Parameters json.RawMessage `json:"parameters"`
	Function   json.RawMessage `json:"function"`
}

// decode reads an object that is whole. A bare one must have arguments: many objects have a name.
func (p *Parser) decode(object string, bare bool) (c Call, ok bool) {
	var f writtenCall
	if exact.Check([]byte(object)) != nil || exact.Fill([]byte(object), &f) != nil {
		return c, false
	}
	if f.Name == nil && len(f.Function) > 0 && f.Function[0] == '{' {
		object := f.Function
		f = writtenCall{}
		if exact.Fill(object, &f) != nil {
			return c, false
		}
	}
	if f.Name == nil || !p.isTool(*f.Name) {
		return c, false
	}
	arguments := f.Arguments
	if arguments == nil {
		arguments = f.Parameters
	}
	if arguments == nil && !bare {
		arguments = json.RawMessage("{}")
	}
	c.Name = *f.Name
	c.Arguments, ok = objectOf(arguments)
	return c, ok
}

// objectOf returns arguments that are an object, or a text that has one.
func objectOf(arguments json.RawMessage) (json.RawMessage, bool) {
	if len(arguments) > 0 && arguments[0] == '"' {
		var inner string
		if exact.Fill(arguments, &inner) != nil || exact.Check([]byte(inner)) != nil {
			return nil, false
		}
		arguments = json.RawMessage(strings.Trim(inner, space))
	}
	return arguments, len(arguments) > 0 && arguments[0] == '{'
}

// objects reads one call, or an array of calls.
func (p *Parser) objects(text string, bare bool) (calls []Call, n int, found verdict) {
	if strings.HasPrefix(text, "[") {
		return p.array(text, bare)
	}
	c, n, found := p.object(text, bare)
	if found != isCall {
		return nil, n, found
	}
	return []Call{c}, n, isCall
}

// array reads an array of calls, each of them right.
func (p *Parser) array(text string, bare bool) (calls []Call, n int, found verdict) {
	if n, found = jsonSpan(text); found != isCall {
		return nil, n, found
	}
	var objects []json.RawMessage
	if exact.Check([]byte(text[:n])) != nil || exact.Fill([]byte(text[:n]), &objects) != nil {
		return nil, 0, notCall
	}
	for _, object := range objects {
		c, ok := p.decode(string(object), bare)
		if !ok {
			return nil, 0, notCall
		}
		calls = append(calls, c)
	}
	if len(calls) == 0 {
		return nil, 0, notCall
	}
	return calls, n, isCall
}

// asObject returns arguments, and whether they are one object of JSON.
func asObject(arguments string) (json.RawMessage, bool) {
	return json.RawMessage(arguments), strings.HasPrefix(arguments, "{") && exact.Check([]byte(arguments)) == nil
}
