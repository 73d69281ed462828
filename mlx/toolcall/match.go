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

// match reads the calls that pending begins with. With final nothing comes behind it.
func (p *Parser) match(final bool) (calls []Call, n int, found verdict) {
	mark := p.mark()
	rest := p.pending[mark:]
	if mark == 0 {
		return nil, 0, notCall
	}
	switch p.syntax {
	case Hermes:
		return p.taggedCalls(rest, mark, closeHermes, final)
	case Mistral:
		return p.mistralCalls(rest, mark)
	case Gemma, FunctionGemma:
		return p.gemmaCalls(rest, mark, final)
	}
	switch p.pending[:mark] {
	case functionTag:
		return p.functionCall(rest, mark, final)
	case pythonTag:
		return p.callsBehindSpace(rest, mark)
	case fence:
		return p.fencedCalls(rest, mark, final)
	}
	return p.objects(p.pending, true)
}

// callsBehindSpace reads calls behind a mark and white space.
func (p *Parser) callsBehindSpace(rest string, mark int) (calls []Call, n int, found verdict) {
	body := strings.TrimLeft(rest, space)
	if body == "" {
		return nil, 0, undecided
	}
	calls, n, found = p.objects(body, false)
	return calls, mark + len(rest) - len(body) + n, found
}

// taggedCalls reads calls between a mark and another one. The other one may be missing at the end of the answer, or before
// other text, since models forget it.
func (p *Parser) taggedCalls(rest string, mark int, closing string, final bool) (calls []Call, n int, found verdict) {
	if calls, n, found = p.callsBehindSpace(rest, mark); found != isCall {
		return calls, n, found
	}
	end, found := closingMark(p.pending[n:], closing, final)
	return calls, n + end, found
}

// closingMark returns how many bytes of a text a closing mark takes, white space before it included; 0 if there is none.
func closingMark(text, closing string, final bool) (n int, found verdict) {
	body := strings.TrimLeft(text, space)
	switch {
	case strings.HasPrefix(body, closing):
		return len(text) - len(body) + len(closing), isCall
	case strings.HasPrefix(closing, body) && !final:
		return 0, undecided
	}
	return 0, isCall
}

// functionCall reads name>{…}</function>.
func (p *Parser) functionCall(rest string, mark int, final bool) (calls []Call, n int, found verdict) {
	name, body, named := strings.Cut(rest, ">")
	if !named {
		return nil, 0, p.toolPrefix(name)
	}
	if !p.isTool(name) {
		return nil, 0, notCall
	}
	c, n, found := p.arguments(name, body)
	if found != isCall {
		return nil, 0, found
	}
	n += mark + len(name) + 1
	end, found := closingMark(p.pending[n:], "</function>", final)
	return []Call{c}, n + end, found
}

// toolPrefix tells whether a text can still become the name of a tool.
func (p *Parser) toolPrefix(beginning string) verdict {
	for _, name := range p.names {
		if strings.HasPrefix(name, beginning) {
			return undecided
		}
	}
	return notCall
}

// arguments reads a call whose arguments stand alone, behind white space.
func (p *Parser) arguments(name, text string) (c Call, n int, found verdict) {
	body := strings.TrimLeft(text, space)
	if body == "" {
		return c, 0, undecided
	}
	if body[0] != '{' {
		return c, 0, notCall
	}
	if n, found = jsonSpan(body); found != isCall {
		return c, n, found
	}
	arguments, ok := asObject(body[:n])
	if !ok {
		return c, 0, notCall
	}
	return Call{name, arguments}, len(text) - len(body) + n, isCall
}

// mistralCalls reads an array or an object of calls, or name[CALL_ID]id[ARGS]{…}.
func (p *Parser) mistralCalls(rest string, mark int) (calls []Call, n int, found verdict) {
	body := strings.TrimLeft(rest, space)
	if body == "" || body[0] == '{' || body[0] == '[' {
		return p.callsBehindSpace(rest, mark)
	}
	before := mark + len(rest) - len(body)
	end := strings.IndexAny(body, "[{"+space)
	if end < 0 {
		return nil, 0, p.toolPrefix(body)
	}
	name := body[:end]
	if !p.isTool(name) {
		return nil, 0, notCall
	}
	brace := strings.IndexByte(body, '{')
	if brace < 0 {
		return nil, 0, betweenNameAndArguments(body[end:])
	}
	if betweenNameAndArguments(body[end:brace]) == notCall {
		return nil, 0, notCall
	}
	c, n, found := p.arguments(name, body[brace:])
	return []Call{c}, before + brace + n, found
}

// betweenNameAndArguments tells whether a text may stand between a name and its arguments.
func betweenNameAndArguments(text string) verdict {
	text = strings.TrimLeft(text, space)
	if id, found := strings.CutPrefix(text, idMistral); found {
		if i := strings.IndexByte(id, '['); i >= 0 {
			return markPrefix(id[i:], argsMistral)
		}
		return markPrefix("", argsMistral)
	}
	if strings.HasPrefix(idMistral, text) {
		return undecided
	}
	return markPrefix(text, argsMistral)
}

// markPrefix tells whether a text is a mark or its beginning.
func markPrefix(text, mark string) verdict {
	if text = strings.TrimRight(text, space); strings.HasPrefix(mark, text) {
		return undecided
	}
	return notCall
}

// fencedCalls reads calls in a block of code.
func (p *Parser) fencedCalls(rest string, mark int, final bool) (calls []Call, n int, found verdict) {
	label, body, labelled := strings.Cut(rest, "\n")
	if !labelled {
		return nil, 0, fenceLabel(label, true)
	}
	if fenceLabel(label, false) == notCall {
		return nil, 0, notCall
	}
	if calls, n, found = p.callsBehindSpace(body, mark+len(label)+1); found != isCall {
		return calls, n, found
	}
	end := strings.TrimLeft(p.pending[n:], space)
	switch {
	case strings.HasPrefix(end, fence):
		return calls, len(p.pending) - len(end) + len(fence), isCall
	case strings.HasPrefix(fence, end) && !final:
		return nil, 0, undecided
	case end == "":
		return calls, len(p.pending), isCall
	}
	return nil, 0, notCall
}

// fenceLabel tells whether a block of code has the label of one with a call, or with cut may get it.
func fenceLabel(label string, cut bool) verdict {
	label = strings.TrimRight(label, " \r")
	for _, l := range []string{"", "json", "tool_call", "tool_code"} {
		if label == l || cut && strings.HasPrefix(l, label) {
			return undecided
		}
	}
	return notCall
}
