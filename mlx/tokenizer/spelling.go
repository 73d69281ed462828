package tokenizer

import (
	"slices"
	"strings"
)

// Speller knows every way in which tokens can spell a text. It is immutable and safe for concurrent use.
type Speller struct {
	tokenizer   *Tokenizer
	byText      map[string][]int32 // ordinary tokens by the text that they stand for inside a text
	maxBytes    int                // bytes of the longest
	keptSpecial []int32            // special tokens that carry text nevertheless
}

// NewSpeller lists the texts of all ordinary tokens.
func (t *Tokenizer) NewSpeller() *Speller {
	s := &Speller{tokenizer: t, byText: make(map[string][]int32, len(t.tokens))}
	for id := range t.tokens {
		text, ok := s.Text(int32(id))
		if !ok {
			continue
		}
		s.byText[text] = append(s.byText[text], int32(id))
		s.maxBytes = max(s.maxBytes, len(text))
	}
	return s
}

// Keep returns a speller that knows some special tokens as text too, as a Decoder that keeps them.
func (s *Speller) Keep(ids []int32) *Speller {
	kept := *s
	kept.keptSpecial = ids
	return &kept
}

// Text returns the bytes that a token stands for inside a text, and false for special and unknown tokens and
// for those without any text.
func (s *Speller) Text(id int32) (string, bool) {
	t := s.tokenizer
	if !t.has(id) || t.special[id] && !slices.Contains(s.keptSpecial, id) {
		return "", false
	}
	text, _ := t.decoder.token(t.tokens[id], false)
	return text, text != ""
}

// Beginnings returns the tokens that a spelling of text can begin with, the longest first.
func (s *Speller) Beginnings(text string) []int32 {
	var ids []int32
	for _, id := range s.keptSpecial {
		if tokenText, ok := s.Text(id); ok && strings.HasPrefix(text, tokenText) {
			ids = append(ids, id)
		}
	}
	for n := min(len(text), s.maxBytes); n > 0; n-- {
		ids = append(ids, s.byText[text[:n]]...)
	}
	return slices.Clip(ids)
}
