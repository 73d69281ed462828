package messages

import (
	"testing"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"pgregory.net/rapid"
)

// However a text is cut, its thoughts are parted from the rest at the marks, and nothing else is taken away.
func TestThoughtsArePartedHoweverTheTextIsCut(t *testing.T) {
	closed, open := prompt.Thoughts{Begin: "<think>", End: "</think>"}, prompt.Thoughts{Begin: "<think>", End: "</think>", Open: true}
	for _, test := range []struct {
		marks               prompt.Thoughts
		text, thought, said string
	}{
		{closed, "<think>\nHm.\nSo.\n</think>\n\nFine.\n", "Hm.\nSo.", "Fine.\n"},
		{closed, "\n<think>Hm.</think>Fine.", "Hm.", "Fine."},
		{closed, "<think>\n\n</think>\n\nFine.", "", "Fine."},
		{closed, "Fine. <think>not</think>", "", "Fine. <think>not</think>"},
		{closed, "  <thin air>", "", "  <thin air>"},
		{closed, "<think>\na </thin\n\nb", "a </thin\n\nb", ""},
		{closed, "<think>\na\n</thi", "a\n</thi", ""},
		{closed, "<thi", "", "<thi"},
		{closed, "", "", ""},
		{closed, "<think>a</think>b</think>c", "a", "b</think>c"},
		{open, "Hm.\n</think>\n\nFine.", "Hm.", "Fine."},
		{open, "Hm.", "Hm.", ""},
		{prompt.Thoughts{}, "<think>a</think>b", "", "<think>a</think>b"},
	} {
		rapid.Check(t, func(r *rapid.T) {
			reader := newThoughtReader(test.marks)
			var thought, said string
			for rest := test.text; rest != ""; {
				n := rapid.IntRange(1, len(rest)).Draw(r, "bytes")
				a, b := reader.push(rest[:n])
				thought, said, rest = thought+a, said+b, rest[n:]
			}
			a, b := reader.end()
			if thought+a != test.thought || said+b != test.said {
				r.Fatalf("%q: %q and %q, want %q and %q", test.text, thought+a, said+b, test.thought, test.said)
			}
		})
	}
}
