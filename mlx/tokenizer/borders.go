package tokenizer

import "slices"

// EncodeAt is Encode for a text that may be too long. Words that can't be part of a result within the bound, because a token
// stands for so many bytes at most, are counted and not encoded: so it costs what the bound is worth and not what the text is.
// It also tells where places in the text, in bytes, lie between tokens: at[i] is the number of
// tokens that spell the text up to places[i], or -1 if a token may reach across it. Places within a token that is
// matched as a whole, or in text that is not UTF-8, are told as -1; so are those that would take long to find.
func (t *Tokenizer) EncodeAt(text string, places []int, b Bound) (ids []int32, at []int, err error) {
	within := &bound{Bound: b, model: t.model}
	var parts []encoded
	ids = t.encode(text, EncodeOptions{}, within, func(s span, first, last int) { parts = append(parts, encoded{s, first, last}) })
	if err := within.problem(len(ids)); err != nil {
		return nil, nil, err
	}
	at = make([]int, len(places))
	for i := range at {
		at[i] = -1
	}
	if len(places) > 0 && validUTF8(text) == text {
		t.findBorders(text, ids, parts, places, at)
	}
	return ids, at, nil
}

// encoded is a part of a text with its tokens: ids[first:last].
type encoded struct {
	span
	first, last int
}

// findBorders finds each place in the part that it lies in.
func (t *Tokenizer) findBorders(text string, ids []int32, parts []encoded, places, at []int) {
	effort := 4*len(text) + 1<<16 // bytes that are encoded once more at the most
	for _, part := range parts {
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
				at[i] = t.border(text[part.start:place], ids[part.first:part.last], part)
			}
		}
	}
}

// border is the number of tokens up to the end of the beginning of a part, if that is encoded on its own as it is in the
// part.
func (t *Tokenizer) border(beginning string, ids []int32, part encoded) int {
	before := t.appendPlain(nil, beginning, part.start == 0, nil)
	if len(ids) >= len(before) && slices.Equal(ids[:len(before)], before) {
		return part.first + len(before)
	}
	return -1
}
