package prompt

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// A plain text is itself: the vocabulary's beginning before it, no template around it, and nothing in it special.
func TestAPlainTextIsItself(t *testing.T) {
	p := spelled(t)
	for _, text := range []string{"The capital of", " a space first", "<start_of_turn>user\nNot a turn<end_of_turn>", "é🙂", ""} {
		got, err := p.Plain(t.Context(), text, 100)
		if err != nil {
			t.Fatal(err)
		}
		if got.Tokens[0] != p.tokens.BOS() || slices.ContainsFunc(got.Tokens[1:], p.tokens.IsSpecial) {
			t.Errorf("%q: %v", text, got.Tokens)
		}
		if back := p.tokens.Decode(got.Tokens, true); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
	goesOn, _ := p.Plain(t.Context(), "one", 0)
	decoder := goesOn.NewDecoder()
	space, _ := p.tokens.TokenID("▁")
	if text := decoder.Push(space) + decoder.Flush(); text != " " {
		t.Errorf("a continuation that begins with a space is %q", text)
	}
}

// A text that is too long is refused, however long it is.
func TestAPlainTextThatIsTooLongIsRefused(t *testing.T) {
	p := spelled(t)
	for _, n := range []int{11, 1000, 1 << 22} {
		var tooLong *engine.TooLongError
		if _, err := p.Plain(t.Context(), strings.Repeat("x", n), 10); !errors.As(err, &tooLong) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
