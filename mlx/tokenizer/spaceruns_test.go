package tokenizer

import (
	"slices"
	"testing"
)

// withRuns is tiny with tokens for runs of spaces, as llama.cpp's converter writes Gemma's.
func withRuns(t *testing.T, alsoMarked bool) *Tokenizer {
	t.Helper()
	v := tinyVocabulary()
	v.AddSpacePrefix = false
	add := func(token string, score float32, kind int32) {
		v.Tokens, v.Scores, v.Types = append(v.Tokens, token), append(v.Scores, score), append(v.Types, kind)
	}
	for _, run := range []string{"  ", "   ", "    "} {
		add(run, -1000, typeUserDefined)
	}
	if alsoMarked {
		for _, run := range []string{"▁▁", "▁▁▁", "▁▁▁▁"} {
			add(run, -50, 1)
		}
	}
	tok, err := FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func spelt(tok *Tokenizer, text string) []string {
	var tokens []string
	for _, id := range tok.Encode(text) {
		token, _ := tok.Token(id)
		tokens = append(tokens, token)
	}
	return tokens
}

func TestRenamedRunsOfSpacesAreFoundAsSpacesAndAsMarks(t *testing.T) {
	tok := withRuns(t, false)
	for text, want := range map[string][]string{
		"▁▁":         {"▁▁"},
		"a  b":       {"a", "▁▁", "b"},
		" ▁ a":       {"▁▁▁", "a"},
		" ▁▁ ab":     {"▁", "▁▁", "▁ab"}, // written marks are found before the spaces become marks
		"      ab":   {"▁▁▁▁", "▁▁", "ab"},
		"▁▁▁▁▁":      {"▁▁▁▁", "▁"},
		"  ▁▁▁  ":    {"▁▁", "▁▁▁", "▁▁"},
		" ab":        {"▁ab"},
		"a\n  <s>  ": {"a", "<0x0A>", "▁▁", "<s>", "▁▁"},
	} {
		if got := spelt(tok, text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := tok.Decode(tok.Encode("a    b  "), false); got != "a    b  " {
		t.Errorf("runs came back as %q", got)
	}
}

// A vocabulary that has both names means what it says.
func TestRunsOfSpacesBesideMarkedOnesStaySpaces(t *testing.T) {
	tok := withRuns(t, true)
	if got := spelt(tok, "a  b ▁"); !slices.Equal(got, []string{"a", "  ", "b", "▁▁"}) {
		t.Errorf("%q", got)
	}
}
