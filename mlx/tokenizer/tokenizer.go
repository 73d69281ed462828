// Package tokenizer turns text into token ids as the Hugging Face tokenizers library does, and back, for BPE
// vocabularies that come as tokenizer.json or inside a GGUF file. Ids that the library never gives may be
// decoded otherwise: bytes of byte fallback that are no UTF-8 become U+FFFD one by one, and valid characters
// beside them stay.
//
// A Tokenizer is immutable and safe for concurrent use. What a file asks for and this package does not know
// is refused when the file is loaded, never ignored.
package tokenizer

import "slices"

// Tokenizer is one model's tokenizer.
type Tokenizer struct {
	model            *bpe
	tokens           []string // by id; "" where the vocabulary has a gap
	exists           []bool   // by id
	special          []bool   // by id
	added            map[string]int32
	rawTokens        *addedTokens // matched in the text as it came
	normalizedTokens *addedTokens // matched after normalization
	lookalikes       *addedTokens // special tokens, for Guard
	normalize        normalizer
	split            splitter
	prefix           []int32 // what AddSpecial puts before the text
	suffix           []int32 // and after it
	decoder          decoder
	bos, eos         int32
}

// EncodeOptions says how text is to be read.
type EncodeOptions struct {
	// AddSpecial adds what the model's own post-processing adds: usually the token that begins every text. A
	// chat template writes it itself.
	AddSpecial bool
	// Ordinary reads the whole text as the words of a user: nothing in it becomes a special token.
	Ordinary bool
}

// Encode returns the ids of text. Special tokens that are spelled out in it, as in the output of a chat
// template, become those tokens, unless Guard covered them. Bytes that are not UTF-8 count as U+FFFD.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.EncodeWith(text, EncodeOptions{})
}

// EncodeWith is Encode with options.
func (t *Tokenizer) EncodeWith(text string, options EncodeOptions) []int32 {
	return t.encode(text, options, nil, nil)
}

// encode tells each, if it is not nil, the parts of the text with their tokens, ids[first:last].
func (t *Tokenizer) encode(text string, options EncodeOptions, within *budget, each func(s span, first, last int)) []int32 {
	text = validUTF8(text)
	if options.Ordinary {
		text = t.Guard(text)
	}
	ids := make([]int32, 0, len(text)/3+4)
	if options.AddSpecial {
		ids = append(ids, t.prefix...)
	}
	t.rawTokens.each(text, func(s span) {
		first := len(ids)
		if s.id >= 0 {
			ids = append(ids, s.id)
		} else {
			ids = t.appendPlain(ids, text[s.start:s.end], s.start == 0, within)
		}
		if each != nil {
			each(s, first, len(ids))
		}
	})
	if options.AddSpecial {
		ids = append(ids, t.suffix...)
	}
	return ids
}

// appendPlain encodes text between the added tokens that are matched raw. The guards go before normalization,
// except where special tokens are matched after it: there they must still do their work.
func (t *Tokenizer) appendPlain(ids []int32, text string, first bool, within *budget) []int32 {
	if !t.normalizedTokens.special {
		text = unguard(text)
	}
	text = t.normalize.apply(text)
	t.normalizedTokens.each(text, func(s span) {
		if s.id >= 0 {
			ids = append(ids, s.id)
			return
		}
		plain := text[s.start:s.end]
		if t.normalizedTokens.special {
			plain = unguard(plain)
		}
		t.split.split(piece{plain, first && s.start == 0}, func(p piece) {
			if within == nil || within.admits(len(ids), p.text) {
				ids = t.model.appendWord(ids, p.text)
			}
		})
	})
	return ids
}

// TokenID returns the id of a token given as the vocabulary writes it.
func (t *Tokenizer) TokenID(token string) (int32, bool) {
	if id, ok := t.added[token]; ok {
		return id, true
	}
	id, ok := t.model.vocab[token]
	return id, ok
}

// Token returns a token as the vocabulary writes it, and whether there is one with that id.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if !t.has(id) {
		return "", false
	}
	return t.tokens[id], true
}

// IsSpecial tells whether id is a special token: one that carries structure, not text.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.has(id) && t.special[id] }

// SpecialTokens returns the ids of all special tokens, in order.
func (t *Tokenizer) SpecialTokens() []int32 {
	var ids []int32
	for id, special := range t.special {
		if special {
			ids = append(ids, int32(id))
		}
	}
	return ids
}

// VocabSize is one more than the largest token id.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// BOS is the id of the token that begins a text, or -1 where the vocabulary names none.
func (t *Tokenizer) BOS() int32 { return t.bos }

// EOS is the id of the token that ends a text, or -1 where the vocabulary names none.
func (t *Tokenizer) EOS() int32 { return t.eos }

// Special returns what EncodeOptions.AddSpecial puts before and after a text.
func (t *Tokenizer) Special() (before, after []int32) {
	return slices.Clone(t.prefix), slices.Clone(t.suffix)
}

func (t *Tokenizer) has(id int32) bool {
	return id >= 0 && int(id) < len(t.tokens) && t.exists[id]
}
