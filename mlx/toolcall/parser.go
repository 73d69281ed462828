package toolcall

import (
	"slices"
	"strings"
)

// Parser takes the text of one answer apart.
type Parser struct {
	syntax Syntax
	names  []string // of the tools that may be called

	pending       string // what is not decided yet
	unread        []byte // what came since pending was last looked at
	offset        int    // bytes before pending
	lastLook      int    // bytes of pending when it was last looked at
	pendingSpace  string // white space that waits for text behind it
	lineStart     bool   // only white space is before pending on its line
	textSinceCall bool   // text is before pending, behind the last call, that is not blank
	callSeen      bool   // a call is before pending
	nest          nest   // the object that pending begins in, if it is no call
	unclosed      int    // calls without an end that the answer's end made text
}

// maxUnclosed is how many calls without an end are looked for at the end of an answer: for each all the rest
// is read.
const maxUnclosed = 64

// NewParser returns a parser of calls of the named tools.
func NewParser(s Syntax, names []string) *Parser {
	return &Parser{syntax: s, names: names, lineStart: true}
}

// Behind says what text the answer goes on with. It is not taken apart itself.
func (p *Parser) Behind(text string) {
	p.lineStart, p.textSinceCall = onlySpaceOnLine(text, true), strings.Trim(text, space) != ""
}

// Push adds text and returns the pieces that are decided.
func (p *Parser) Push(text string) []Piece {
	p.unread = append(p.unread, text...)
	// Each look goes over all that is withheld, so a long call is looked at each time it has grown by a part.
	if n := len(p.pending) + len(p.unread); n > 1024 && n < p.lastLook+p.lastLook/16 {
		return nil
	}
	return p.decide(false)
}

// End returns the rest. Nothing comes behind it.
func (p *Parser) End() []Piece {
	pieces := p.decide(true)
	if p.pendingSpace != "" && !p.callSeen {
		pieces = append(pieces, Piece{Text: p.pendingSpace})
	}
	p.pendingSpace = ""
	return mergeTexts(pieces)
}

// decide takes from pending what is decided. With final nothing comes behind it.
func (p *Parser) decide(final bool) (pieces []Piece) {
	p.pending, p.unread = p.pending+string(p.unread), p.unread[:0]
	for p.pending != "" {
		at, whole := p.opening()
		pieces = p.take(pieces, at)
		if p.pending == "" || !whole && !final {
			break
		}
		calls, n, found := p.match(final)
		if found == undecided && !final {
			break
		}
		if found != isCall {
			pieces = p.reject(pieces, found)
			continue
		}
		p.offset += n
		for _, c := range calls {
			pieces = append(pieces, Piece{Call: &c, End: p.offset})
		}
		p.pending, p.pendingSpace, p.lineStart, p.textSinceCall, p.callSeen = p.pending[n:], "", true, false, true
	}
	p.lastLook = len(p.pending)
	return mergeTexts(pieces)
}

// reject makes text of an opener that begins no call, and of what it is only the beginning of.
func (p *Parser) reject(pieces []Piece, found verdict) []Piece {
	if found == undecided {
		if p.unclosed++; p.unclosed >= maxUnclosed {
			return p.take(pieces, len(p.pending))
		}
	}
	brace := p.pending[0] == '{' && !p.nest.inside()
	pieces = p.take(pieces, max(1, p.mark()))
	if brace {
		p.nest.enter()
	}
	return pieces
}

// take adds the first bytes of pending as text. White space waits: what stands between calls is none of the
// answer.
func (p *Parser) take(pieces []Piece, n int) []Piece {
	text := p.pending[:n]
	p.pending, p.offset = p.pending[n:], p.offset+n
	if text == "" {
		return pieces
	}
	p.nest.walk(text)
	p.lineStart = onlySpaceOnLine(text, p.lineStart)
	end := len(strings.TrimRight(text, p.space()))
	if end == 0 {
		p.pendingSpace += text
		return pieces
	}
	end = len(strings.TrimRight(text, space))
	text, p.pendingSpace, p.textSinceCall = p.pendingSpace+text[:end], text[end:], true
	return append(pieces, Piece{Text: text})
}

// onlySpaceOnLine tells whether there is only white space on the last line of text, whose first line begins
// as told.
func onlySpaceOnLine(text string, before bool) bool {
	i := strings.LastIndexByte(text, '\n')
	return (i >= 0 || before) && strings.Trim(text[i+1:], space) == ""
}

const space = " \t\r\n"

// space is what may stand between calls.
func (p *Parser) space() string {
	if p.syntax == LlamaJSON && p.callSeen && !p.textSinceCall {
		return space + ";"
	}
	return space
}

// mergeTexts joins texts that follow each other.
func mergeTexts(pieces []Piece) []Piece {
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

// mark is the length of the opener that pending begins with, 0 if there is none.
func (p *Parser) mark() int {
	for _, o := range p.syntax.openers() {
		if strings.HasPrefix(p.pending, o) {
			return len(o)
		}
	}
	return 0
}

// opening is where the first thing in pending begins that could be a call, its length if there is none. whole
// is false if it is only the beginning of an opener.
func (p *Parser) opening() (at int, whole bool) {
	within, openers := p.nest, p.syntax.openers()
	for at = 0; at < len(p.pending); at++ {
		rest := p.pending[at:]
		for _, o := range openers {
			if (strings.HasPrefix(rest, o) || strings.HasPrefix(o, rest)) && p.mayOpen(o, at, within) {
				return at, len(rest) >= len(o)
			}
		}
		within.step(p.pending[at])
	}
	return at, false
}

// mayOpen tells whether an opener counts at a place of pending. One that other text has too must stand on a
// line of its own and in no object, and Llama's at the beginning of the answer or behind another call.
func (p *Parser) mayOpen(opener string, at int, within nest) bool {
	before := p.pending[:at]
	switch {
	case opener != "{" && opener != fence:
		return true
	case p.syntax == LlamaJSON:
		return !p.textSinceCall && strings.Trim(before, p.space()) == ""
	}
	return !within.inside() && onlySpaceOnLine(before, p.lineStart)
}

// isTool tells whether a tool of that name may be called.
func (p *Parser) isTool(name string) bool { return slices.Contains(p.names, name) }
