package tokenizer

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Bound is how much of a text is worth encoding.
type Bound struct {
	Most  int         // tokens
	Alive func() bool // whether somebody still waits for them; nil: yes
}

// OverError says that a text has more tokens than the bound.
type OverError struct {
	Least int // tokens that it has at least
	Most  int
}

func (e *OverError) Error() string {
	return fmt.Sprintf("the text has at least %d tokens; the most is %d", e.Least, e.Most)
}

// ErrLeft says that nobody waited for the tokens any more.
var ErrLeft = fmt.Errorf("nobody waits for the tokens")

// problem tells whether encoding ended before the text did.
func (b *budget) problem(tokens int) error {
	switch least := tokens + b.skippedTokens; {
	case b.isAbandoned:
		return ErrLeft
	case least > b.Most:
		return &OverError{Least: least, Most: b.Most}
	}
	return nil
}

// budget is what is left of a Bound while a text is encoded.
type budget struct {
	Bound
	model         *bpe
	skippedTokens int // tokens, at least, of words that were not encoded
	words         int
	isAbandoned   bool
}

// wordsBetweenLooks is how many words are encoded between two questions whether somebody waits.
const wordsBetweenLooks = 256

// admits tells whether a word is to be encoded, given the tokens so far. From the first on that is not, none
// is.
func (b *budget) admits(tokens int, word string) bool {
	if b.words++; b.words%wordsBetweenLooks == 1 && b.Alive != nil && !b.isAbandoned && !b.Alive() {
		b.isAbandoned = true
	}
	least := b.minTokens(word)
	if b.isAbandoned || b.skippedTokens > 0 || tokens > b.Most || tokens+least > b.Most {
		b.skippedTokens += least
		return false
	}
	return true
}

// minTokens returns how many tokens a word has at least. Bytes that the alphabet lacks may vanish, or become
// one unknown token.
func (b *budget) minTokens(word string) int {
	if b.model.maxTokenBytes == 0 {
		return 0
	}
	knownBytes := len(word)
	if b.model.byteLevel {
		for i := range len(word) {
			if b.model.byteIDs[word[i]] < 0 {
				knownBytes--
			}
		}
	}
	return (knownBytes + b.model.maxTokenBytes - 1) / b.model.maxTokenBytes
}

// WidestToken is how many bytes of a text one token stands for at most; 0 if there is no bound.
func (t *Tokenizer) WidestToken() int {
	if t.model.maxTokenBytes == 0 {
		return 0
	}
	widest := t.model.maxTokenBytes
	for text := range t.added {
		widest = max(widest, len(text))
	}
	return widest
}

// findMaxTokenBytes returns the most bytes of a word that a token stands for. There is no bound where whole
// characters may vanish or runs of them become one unknown token.
func (m *bpe) findMaxTokenBytes() int {
	if !m.byteLevel && (!m.byteFallback || slices.Contains(m.byteIDs[:], -1)) {
		return 0
	}
	widest := 1
	for token := range m.vocab {
		n := len(token)
		if m.byteLevel {
			n = utf8.RuneCountInString(token) // each stands for a byte
		}
		widest = max(widest, n)
	}
	return widest
}
