package messages

import (
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
)

// thoughtReader parts what the model thinks from what it says, as its text grows. Thoughts come first, between marks, or from the
// text's begin to the closing mark; the line breaks beside the marks are the form's and belong to neither.
type thoughtReader struct {
	marks prompt.Thoughts
	state thoughtState
	held  string // that may become a mark, or be left out
}

type thoughtState int

const (
	beforeThought thoughtState = iota
	atThought                  // behind the opening mark
	inThought
	behindThought
	speaking
)

// newThoughtReader returns a reader of one answer.
func newThoughtReader(marks prompt.Thoughts) *thoughtReader {
	r := &thoughtReader{marks: marks}
	switch {
	case marks.Begin == "":
		r.state = speaking
	case marks.Open:
		r.state = atThought
	}
	return r
}

// push adds text and returns what it adds to the thoughts and to what is said.
func (r *thoughtReader) push(text string) (thought, said string) {
	for r.state != speaking {
		text, r.held = r.held+text, ""
		before := r.state
		switch r.state {
		case beforeThought:
			text = r.await(text)
		case atThought, behindThought:
			text = r.skip(text)
		case inThought:
			var more string
			more, text = r.read(text)
			thought += more
		}
		if r.state == before {
			return thought, ""
		}
	}
	return thought, text
}

// await looks for the opening mark, behind white space at most, and returns what is left of the text.
func (r *thoughtReader) await(text string) string {
	begun := strings.TrimLeft(text, " \n")
	rest, isThought := strings.CutPrefix(begun, r.marks.Begin)
	switch {
	case isThought:
		r.state = atThought
		return rest
	case strings.HasPrefix(r.marks.Begin, begun):
		r.held = text
		return ""
	}
	r.state = speaking
	return text
}

// skip leaves line breaks out.
func (r *thoughtReader) skip(text string) string {
	text = strings.TrimLeft(text, "\n")
	if text != "" {
		r.state++
	}
	return text
}

// read reads up to the closing mark, and keeps back what may belong to it or to the breaks before it.
func (r *thoughtReader) read(text string) (thought, rest string) {
	if thought, rest, isOver := strings.Cut(text, r.marks.End); isOver {
		r.state = behindThought
		return strings.TrimRight(thought, "\n"), rest
	}
	safe := len(text)
	for n := min(len(r.marks.End)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, r.marks.End[:n]) {
			safe -= n
			break
		}
	}
	safe = len(strings.TrimRight(text[:safe], "\n"))
	r.held = text[safe:]
	return text[:safe], ""
}

// end returns what was kept back, at the end of the answer.
func (r *thoughtReader) end() (thought, said string) {
	held := r.held
	r.held = ""
	switch r.state {
	case beforeThought:
		return "", held
	case inThought:
		return strings.TrimRight(held, "\n"), ""
	}
	return "", ""
}

// thoughtBudget ends the thoughts of an answer that has thought for long enough: it is a constraint of the engine that allows
// all, until it allows nothing but what closes them.
type thoughtBudget struct {
	left    int     // tokens
	closing []int32 // that are still to come, once none are left
	reader  *thoughtReader
	decoder engine.TextDecoder
	allowed []uint64
}

func newThoughtBudget(tokens int, p prompt.Rendered) *thoughtBudget {
	return &thoughtBudget{left: tokens, closing: p.Thoughts.Closing, reader: newThoughtReader(p.Thoughts), decoder: p.NewDecoder()}
}

// Allowed implements engine.Constraint.
func (b *thoughtBudget) Allowed() ([]uint64, error) {
	if b.left > 0 || len(b.closing) == 0 || !b.reader.thinks() {
		return nil, nil
	}
	clear(b.allowed)
	token := int(b.closing[0])
	for len(b.allowed) <= token/64 {
		b.allowed = append(b.allowed, 0)
	}
	b.allowed[token/64] |= 1 << (token % 64)
	return b.allowed, nil
}

// Advance implements engine.Constraint.
func (b *thoughtBudget) Advance(token int32) error {
	switch {
	case !b.reader.thinks():
	case b.left > 0:
		b.left--
	case len(b.closing) > 0:
		b.closing = b.closing[1:]
	}
	b.reader.push(b.decoder.Push(token))
	return nil
}

// thinks tells whether what comes next is a thought.
func (r *thoughtReader) thinks() bool { return r.state == atThought || r.state == inThought }
