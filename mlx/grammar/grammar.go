package grammar

import "errors"

// Grammar is a compiled form over a vocabulary.
type Grammar struct {
	words     *Vocabulary
	automaton *automaton
}

// AnyObject is the schema of every JSON object.
const AnyObject = `{"type":"object"}`

// Compile reads a JSON schema. It returns a *RefusedError for one that an answer can't be held to.
func Compile(schema []byte, words *Vocabulary) (*Grammar, error) {
	return CompileForm(Value(schema, "$"), words)
}

// Walk is one answer's way through the grammar.
type Walk struct {
	grammar *Grammar
	at      *state
}

// Walk begins an answer.
func (g *Grammar) Walk() *Walk {
	g.automaton.mu.Lock()
	defer g.automaton.mu.Unlock()
	g.automaton.steps = 0
	return &Walk{g, g.automaton.start()}
}

var (
	errNowhere = errors.New("no token goes on with the form of the answer")
	errOutside = errors.New("the token does not go on with the form of the answer")
)

// Allowed are the tokens that may come next, one bit each. It is not to be changed.
func (w *Walk) Allowed() ([]uint64, error) {
	a := w.grammar.automaton
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.at.mask == nil {
		a.steps = 0
		if w.at.mask = a.masks[w.at.like]; w.at.mask == nil {
			w.at.mask = w.grammar.words.mask(a, w.at)
			a.masks[w.at.like] = w.at.mask
		}
	}
	for _, bits := range w.at.mask {
		if bits != 0 {
			return w.at.mask, nil
		}
	}
	return nil, errNowhere
}

// Advance goes on behind a token that Allowed allows.
func (w *Walk) Advance(token int32) error {
	text, ends := w.grammar.words.text(token)
	if ends && w.at.complete {
		return nil
	}
	a := w.grammar.automaton
	a.mu.Lock()
	defer a.mu.Unlock()
	a.steps = 0
	to := w.at
	for i := range len(text) {
		to = a.step(to, text[i])
	}
	if to == dead || text == "" {
		return errOutside
	}
	w.at = to
	return nil
}

// Complete tells whether what was written is a whole document.
func (w *Walk) Complete() bool { return w.at.complete }
