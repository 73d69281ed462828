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

// Walk is one answer's way through the grammar. The mask of a new state is worked out aside, while the model computes the
// next token's logits: it may take as long as these do for a small model.
type Walk struct {
	grammar *Grammar
	at      *state
	ahead   chan struct{} // is closed once the mask is there; nil: nobody works on it
}

// Walk begins an answer.
func (g *Grammar) Walk() *Walk {
	g.automaton.mu.Lock()
	defer g.automaton.mu.Unlock()
	g.automaton.steps = 0
	w := &Walk{grammar: g, at: g.automaton.start()}
	w.lookAhead()
	return w
}

// lookAhead has the mask of the walk's state worked out aside. The caller holds the automaton's lock.
func (w *Walk) lookAhead() {
	if w.at.mask != nil {
		return
	}
	ahead, at := make(chan struct{}), w.at
	w.ahead = ahead
	go func() {
		defer close(ahead)
		defer func() { _ = recover() }() // who asks for the mask meets the cause again, where it is told
		w.grammar.maskOf(at)
	}()
}

// maskOf returns the mask of a state.
func (g *Grammar) maskOf(at *state) []uint64 {
	a := g.automaton
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.mask == nil {
		a.steps = 0
		if at.mask = a.masks[at.like]; at.mask == nil {
			at.mask = g.words.mask(a, at)
			a.masks[at.like] = at.mask
		}
	}
	return at.mask
}

var (
	errNowhere = errors.New("no token goes on with the form of the answer")
	errOutside = errors.New("the token does not go on with the form of the answer")
)

// Allowed are the tokens that may come next, one bit each. It is not to be changed.
func (w *Walk) Allowed() ([]uint64, error) {
	if w.ahead != nil {
		<-w.ahead
		w.ahead = nil
	}
	mask := w.grammar.maskOf(w.at)
	for _, bits := range mask {
		if bits != 0 {
			return mask, nil
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
	w.lookAhead()
	return nil
}

// Complete tells whether what was written is a whole document.
func (w *Walk) Complete() bool { return w.at.complete }
