package toolcall

import "strings"

const (
	openHermes, closeHermes = "<tool_call>", "</tool_call>"
	openMistral             = "[TOOL_CALLS]"
	argsMistral, idMistral  = "[ARGS]", "[CALL_ID]"
	pythonTag               = "<|python_tag|>"
	functionTag             = "<function="
	fence                   = "```"
)

// match reads the calls that held begins with. With final nothing comes behind it.
func (p *Parser) match(final bool) (calls []Call, n int, found verdict) {
	mark := p.mark()
	rest := p.held[mark:]
	if mark == 0 {
		return nil, 0, no
	}
	switch p.syntax {
	case Hermes:
		return p.tagged(rest, mark, closeHermes, final)
	case Mistral:
		return p.mistral(rest, mark)
	case Gemma, FunctionGemma:
		return p.gemma(rest, mark, final)
	}
	switch p.held[:mark] {
	case functionTag:
		return p.function(rest, mark, final)
	case pythonTag:
		return p.behindSpace(rest, mark)
	case fence:
		return p.fenced(rest, mark, final)
	}
	return p.objects(p.held, true)
}

// behindSpace reads calls behind a mark and white space.
func (p *Parser) behindSpace(rest string, mark int) (calls []Call, n int, found verdict) {
	body := strings.TrimLeft(rest, space)
	if body == "" {
		return nil, 0, open
	}
	calls, n, found = p.objects(body, false)
	return calls, mark + len(rest) - len(body) + n, found
}

// tagged reads calls between a mark and another one. The other one may be missing at the end of the answer, or before
// other text, since models forget it.
func (p *Parser) tagged(rest string, mark int, closing string, final bool) (calls []Call, n int, found verdict) {
	if calls, n, found = p.behindSpace(rest, mark); found != yes {
		return calls, n, found
	}
	end, found := closed(p.held[n:], closing, final)
	return calls, n + end, found
}

// closed is how much of a text a closing mark behind white space takes, if there is one.
func closed(text, closing string, final bool) (n int, found verdict) {
	body := strings.TrimLeft(text, space)
	switch {
	case strings.HasPrefix(body, closing):
		return len(text) - len(body) + len(closing), yes
	case strings.HasPrefix(closing, body) && !final:
		return 0, open
	}
	return 0, yes
}

// function reads name>{…}</function>.
func (p *Parser) function(rest string, mark int, final bool) (calls []Call, n int, found verdict) {
	name, body, named := strings.Cut(rest, ">")
	if !named {
		return nil, 0, p.maybe(name)
	}
	if !p.known(name) {
		return nil, 0, no
	}
	c, n, found := p.arguments(name, body)
	if found != yes {
		return nil, 0, found
	}
	n += mark + len(name) + 1
	end, found := closed(p.held[n:], "</function>", final)
	return []Call{c}, n + end, found
}

// maybe tells whether the beginning of a name can still become that of a tool.
func (p *Parser) maybe(beginning string) verdict {
	for _, name := range p.names {
		if strings.HasPrefix(name, beginning) {
			return open
		}
	}
	return no
}

// arguments reads a call whose arguments stand alone, behind white space.
func (p *Parser) arguments(name, text string) (c Call, n int, found verdict) {
	body := strings.TrimLeft(text, space)
	if body == "" {
		return c, 0, open
	}
	if body[0] != '{' {
		return c, 0, no
	}
	if n, found = span(body); found != yes {
		return c, n, found
	}
	arguments, ok := whole(body[:n])
	if !ok {
		return c, 0, no
	}
	return Call{name, arguments}, len(text) - len(body) + n, yes
}

// mistral reads an array or an object of calls, or name[CALL_ID]id[ARGS]{…}.
func (p *Parser) mistral(rest string, mark int) (calls []Call, n int, found verdict) {
	body := strings.TrimLeft(rest, space)
	if body == "" || body[0] == '{' || body[0] == '[' {
		return p.behindSpace(rest, mark)
	}
	before := mark + len(rest) - len(body)
	end := strings.IndexAny(body, "[{"+space)
	if end < 0 {
		return nil, 0, p.maybe(body)
	}
	name := body[:end]
	if !p.known(name) {
		return nil, 0, no
	}
	brace := strings.IndexByte(body, '{')
	if brace < 0 {
		return nil, 0, between(body[end:])
	}
	if between(body[end:brace]) == no {
		return nil, 0, no
	}
	c, n, found := p.arguments(name, body[brace:])
	return []Call{c}, before + brace + n, found
}

// between tells whether a text may stand between a name and its arguments.
func between(text string) verdict {
	text = strings.TrimLeft(text, space)
	if id, found := strings.CutPrefix(text, idMistral); found {
		if i := strings.IndexByte(id, '['); i >= 0 {
			return mayBe(id[i:], argsMistral)
		}
		return mayBe("", argsMistral)
	}
	if strings.HasPrefix(idMistral, text) {
		return open
	}
	return mayBe(text, argsMistral)
}

// mayBe tells whether a text is a mark or its beginning.
func mayBe(text, mark string) verdict {
	if text = strings.TrimRight(text, space); strings.HasPrefix(mark, text) {
		return open
	}
	return no
}

// fenced reads calls in a block of code.
func (p *Parser) fenced(rest string, mark int, final bool) (calls []Call, n int, found verdict) {
	label, body, labelled := strings.Cut(rest, "\n")
	if !labelled {
		return nil, 0, labels(label, true)
	}
	if labels(label, false) == no {
		return nil, 0, no
	}
	if calls, n, found = p.behindSpace(body, mark+len(label)+1); found != yes {
		return calls, n, found
	}
	end := strings.TrimLeft(p.held[n:], space)
	switch {
	case strings.HasPrefix(end, fence):
		return calls, len(p.held) - len(end) + len(fence), yes
	case strings.HasPrefix(fence, end) && !final:
		return nil, 0, open
	case end == "":
		return calls, len(p.held), yes
	}
	return nil, 0, no
}

// labels tells whether a block of code is labelled like one with a call, or may become so.
func labels(label string, cut bool) verdict {
	label = strings.TrimRight(label, " \r")
	for _, l := range []string{"", "json", "tool_call", "tool_code"} {
		if label == l || cut && strings.HasPrefix(l, label) {
			return open
		}
	}
	return no
}
