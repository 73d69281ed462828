package toolcall

import (
	"slices"
	"strings"
)

// Parser takes the text of one answer apart.
type Parser struct {
	syntax Syntax
	names  []string // of the tools that may be called

	held   string // what is not decided yet
	later  []byte // what came since held was last looked at
	done   int    // bytes before held
	tried  int    // bytes of it when it was last looked at
	blank  string // white space that waits for text behind it
	line   bool   // only white space is before held on its line
	said   bool   // text is before held, behind the last call, that is not blank
	called bool   // a call is before held
	nest   nest   // the object that held begins in, if it is no call
	halves int    // calls without an end that the answer's end made text
}

// mostHalves is how many calls without an end are looked for at the end of an answer: for each all the rest is read.
const mostHalves = 64

// NewParser returns a parser of calls of the named tools.
func NewParser(s Syntax, names []string) *Parser { return &Parser{syntax: s, names: names, line: true} }

// Behind says what text the answer goes on with. It is not taken apart itself.
func (p *Parser) Behind(text string) {
	p.line, p.said = onlySpaceOnLine(text, true), strings.Trim(text, space) != ""
}

// Push adds text and returns the pieces that are decided.
func (p *Parser) Push(text string) []Piece {
	p.later = append(p.later, text...)
	// Each look goes over all that is withheld, so a long call is looked at each time it has grown by a part.
	if n := len(p.held) + len(p.later); n > 1024 && n < p.tried+p.tried/16 {
		return nil
	}
	return p.decide(false)
}

// End returns the rest. Nothing comes behind it.
func (p *Parser) End() []Piece {
	pieces := p.decide(true)
	if p.blank != "" && !p.called {
		pieces = append(pieces, Piece{Text: p.blank})
	}
	p.blank = ""
	return merged(pieces)
}

// decide takes from held what is decided. With final nothing comes behind it.
func (p *Parser) decide(final bool) (pieces []Piece) {
	p.held, p.later = p.held+string(p.later), p.later[:0]
	for p.held != "" {
		at, whole := p.opening()
		pieces = p.take(pieces, at)
		if p.held == "" || !whole && !final {
			break
		}
		calls, n, found := p.match(final)
		if found == open && !final {
			break
		}
		if found != yes {
			pieces = p.reject(pieces, found)
			continue
		}
		p.done += n
		for _, c := range calls {
			pieces = append(pieces, Piece{Call: &c, End: p.done})
		}
		p.held, p.blank, p.line, p.said, p.called = p.held[n:], "", true, false, true
	}
	p.tried = len(p.held)
	return merged(pieces)
}

// reject makes text of an opener that begins no call, and of what it is only the beginning of.
func (p *Parser) reject(pieces []Piece, found verdict) []Piece {
	if found == open {
		if p.halves++; p.halves >= mostHalves {
			return p.take(pieces, len(p.held))
		}
	}
	brace := p.held[0] == '{' && !p.nest.inside()
	pieces = p.take(pieces, max(1, p.mark()))
	if brace {
		p.nest.enter()
	}
	return pieces
}

// take adds the first bytes of held as text. White space waits: what stands between calls is none of the answer.
func (p *Parser) take(pieces []Piece, n int) []Piece {
	text := p.held[:n]
	p.held, p.done = p.held[n:], p.done+n
	if text == "" {
		return pieces
	}
	p.nest.walk(text)
	p.line = onlySpaceOnLine(text, p.line)
	end := len(strings.TrimRight(text, p.space()))
	if end == 0 {
		p.blank += text
		return pieces
	}
	end = len(strings.TrimRight(text, space))
	text, p.blank, p.said = p.blank+text[:end], text[end:], true
	return append(pieces, Piece{Text: text})
}

// onlySpaceOnLine tells whether there is only white space on the last line of text, whose first line begins as told.
func onlySpaceOnLine(text string, before bool) bool {
	i := strings.LastIndexByte(text, '\n')
	return (i >= 0 || before) && strings.Trim(text[i+1:], space) == ""
}

const space = " \t\r\n"

// space is what may stand between calls.
func (p *Parser) space() string {
	if p.syntax == LlamaJSON && p.called && !p.said {
		return space + ";"
	}
	return space
}

// merged joins texts that follow each other.
func merged(pieces []Piece) []Piece {
	out := pieces[:0]
	for _, piece := range pieces {
		if n := len(out); n > 0 && piece.Call == nil && out[n-1].Call == nil {
			out[n-1].Text += piece.Text
			continue
		}
		out = append(out, piece)
	}
	return out
}

// openers are what a call can begin with.
func (s Syntax) openers() []string {
	switch s {
	case Hermes:
		return []string{openHermes}
	case Mistral:
		return []string{openMistral}
	case Gemma, FunctionGemma:
		return []string{s.gemma().open}
	case LlamaJSON:
		return []string{pythonTag, functionTag, "{"}
	}
	return []string{"{", fence}
}

// mark is the length of the opener that held begins with, 0 if there is none.
func (p *Parser) mark() int {
	for _, o := range p.syntax.openers() {
		if strings.HasPrefix(p.held, o) {
			return len(o)
		}
	}
	return 0
}

// opening is where the first thing in held begins that could be a call, its length if there is none. whole is false if
// it is only the beginning of an opener.
func (p *Parser) opening() (at int, whole bool) {
	within, openers := p.nest, p.syntax.openers()
	for at = 0; at < len(p.held); at++ {
		rest := p.held[at:]
		for _, o := range openers {
			if (strings.HasPrefix(rest, o) || strings.HasPrefix(o, rest)) && p.mayOpen(o, at, within) {
				return at, len(rest) >= len(o)
			}
		}
		within.step(p.held[at])
	}
	return at, false
}

// mayOpen tells whether an opener counts at a place of held. One that other text has too must stand on a line of its own
// and in no object, and Llama's at the beginning of the answer or behind another call.
func (p *Parser) mayOpen(opener string, at int, within nest) bool {
	before := p.held[:at]
	switch {
	case opener != "{" && opener != fence:
		return true
	case p.syntax == LlamaJSON:
		return !p.said && strings.Trim(before, p.space()) == ""
	}
	return !within.inside() && onlySpaceOnLine(before, p.line)
}

// known tells whether a tool of that name may be called.
func (p *Parser) known(name string) bool { return slices.Contains(p.names, name) }
