package tokenizer

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Within a bound the ids are those of Encode; beyond it, what is told to be the least is no more than the
// truth.
func TestABoundChangesNoTokenAndTellsNoUntruth(t *testing.T) {
	tok := smollm2(t)
	rapid.Check(t, func(rt *rapid.T) {
		piece := rapid.SampledFrom([]string{"word ", "   ", "\n\n\n", "AAAAAAAA", "<|im_start|>", "é€🫠", "========", "12345", "x", "	", "\x00\x7f", "\u0085", "Ā"})
		text := strings.Repeat(strings.Join(rapid.SliceOfN(piece, 0, 20).Draw(rt, "pieces"), ""), rapid.IntRange(1, 30).Draw(rt, "times"))
		most := rapid.IntRange(0, 300).Draw(rt, "most")
		want := tok.Encode(text)
		got, _, err := tok.EncodeAt(text, nil, Bound{Most: most})
		var over *OverError
		switch {
		case len(want) <= most && (err != nil || len(got) != len(want)):
			rt.Fatalf("%d tokens within %d: %v", len(want), most, err)
		case len(want) > most && (!errors.As(err, &over) || over.Least > len(want) || over.Least <= most):
			rt.Fatalf("%d tokens over %d: %v", len(want), most, err)
		}
		for i := range got {
			if got[i] != want[i] {
				rt.Fatalf("token %d is %d, not %d", i, got[i], want[i])
			}
		}
	})
}

// A text that can't fit is not merged, however its words are: the words that were encoded are few.
func TestATextThatCannotFitIsNotEncoded(t *testing.T) {
	tok := smollm2(t)
	for name, text := range map[string]string{
		"one word": strings.Repeat("A", 8<<20), "many words": strings.Repeat("word ", 2<<20), "spaces": strings.Repeat(" ", 8<<20),
	} {
		ids, _, err := tok.EncodeAt(text, nil, Bound{Most: 1000})
		var over *OverError
		if !errors.As(err, &over) || over.Least <= 1000 || ids != nil {
			t.Errorf("%s: %d tokens, %v", name, len(ids), err)
		}
		within := &budget{Bound: Bound{Most: 1000}, model: tok.model}
		if ids := tok.encode(text, EncodeOptions{}, within, nil); len(ids) > 1000+tok.model.maxTokenBytes {
			t.Errorf("%s: %d tokens were made", name, len(ids))
		}
	}
}

func TestEncodingEndsWhenNobodyWaits(t *testing.T) {
	tok := smollm2(t)
	looks := 0
	_, _, err := tok.EncodeAt(strings.Repeat("word ", 100_000), nil, Bound{Most: 1 << 30, Alive: func() bool { looks++; return looks < 3 }})
	if !errors.Is(err, ErrLeft) {
		t.Errorf("%v after %d looks", err, looks)
	}
}
