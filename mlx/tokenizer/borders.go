package tokenizer

import "slices"

// EncodeAt is Encode for a text that may be too long. Words that can't be part of a result within the bound,
// because a token stands for so many bytes at most, are counted and not encoded: so it costs what the bound
// is worth and not what the text is. It also tells where places in the text, in bytes, lie between tokens:
// at[i] is the number of tokens that spell the text up to places[i], or -1 if a token may reach across it.
// Places within a token that is matched as a whole, or in text that is not UTF-8, are told as -1; so are
// those that would take long to find.
func (t *Tokenizer) EncodeAt(text string, places []int, b Bound) (ids []int32, at []int, err error) {
	within := &budget{Bound: b, model: t.model}
	var parts []tokenizedPart
	ids = t.encode(text, EncodeOptions{}, within, func(s span, first, last int) { parts = append(parts, tokenizedPart{s, first, last}) })
	if err := within.problem(len(ids)); err != nil {
		return nil, nil, err
	}
	if len(places) == 0 || validUTF8(text) != text {
		return ids, slices.Repeat([]int{-1}, len(places)), nil
	}
	search := borderSearch{tokenizer: t, text: text, ids: ids, parts: parts}
	return ids, search.find(places), nil
}

// tokenizedPart is a part of a text with its tokens: ids[first:last].
type tokenizedPart struct {
	span
	first, last int
}

// borderSearch finds where places in an encoded text lie between its tokens.
type borderSearch struct {
	tokenizer *Tokenizer
	text      string
	ids       []int32
	parts     []tokenizedPart
}

// find finds each place in the part that it lies in.
func (s *borderSearch) find(places []int) []int {
	at := slices.Repeat([]int{-1}, len(places))
	effort := 4*len(s.text) + 1<<16 // bytes that are encoded once more at the most
	for _, part := range s.parts {
		for i, place := range places {
			if place < part.start || place > part.end || at[i] >= 0 {
				continue
			}
			switch {
			case place == part.start:
				at[i] = part.first
			case place == part.end:
				at[i] = part.last
			case part.id < 0 && effort > 0:
				effort -= place - part.start
				at[i] = s.border(part, place)
			}
		}
	}
	return at
}

// border is the number of tokens up to a place in a part, if what lies before it is encoded on its own as it
// is in the part.
func (s *borderSearch) border(part tokenizedPart, place int) int {
	ids := s.ids[part.first:part.last]
	before := s.tokenizer.appendPlain(nil, s.text[part.start:place], part.start == 0, nil)
	if len(ids) >= len(before) && slices.Equal(ids[:len(before)], before) {
		return part.first + len(before)
	}
	return -1
}
