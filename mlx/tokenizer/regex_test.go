package tokenizer

import (
	"strings"
	"testing"
)

// triedPlaces is the size of what the matcher remembers for a text, which bounds its work.
func triedPlaces(t *testing.T, source, text string) int {
	t.Helper()
	x, err := compile(source)
	if err != nil {
		t.Fatal(err)
	}
	m := &matcher{}
	m.begin(x, text)
	return len(m.failures)
}

func TestExpressionsCutAsTheyAreMeant(t *testing.T) {
	for _, c := range []struct{ source, text, want string }{
		{`a+?b|c`, "aabcx", "aab¦c"},
		{`\p{N}{1,3}`, "12345x6", "123¦45¦6"},
		{`[^\s\p{L}]+|\p{L}+`, "ab, cd!", "ab¦,¦cd¦!"},
		{`\s+(?!\S)|\s`, "a   b", "  ¦ "},
		{`(?i:'s)|x`, "'S'ſx", "'S¦'ſ¦x"},
		{`(?<=a)b|(?<!a)c`, "abacbc", "b¦c"},
		{`a++a|b`, "aaab", "b"},
		{`(?>a+)b|a`, "aaab", "aaab"},
		{`^x|y$`, "x\nxy", "x¦x¦y"},
		{`[\-\]a-c\x{e9}]+`, "-]abcé-", "-]abcé-"},
		{`(a|ab)(c|bcd)e?`, "abcde", "abcde"},
		{`x*`, "axxb", "xx"},
		{`\P{L}+`, "ab12", "12"},
		{`[a-c]{2,}|d{0,2}`, "abcadd", "abca¦dd"},
	} {
		x, err := compile(c.source)
		if err != nil {
			t.Fatal(err)
		}
		if got := cuts(x, c.text); got != c.want {
			t.Errorf("%s cuts %q as %q, not %q", c.source, c.text, got, c.want)
		}
	}
}

// The classic bombs end, and what they remember grows with the text and not faster.
func TestBombsOfExpressionsAreLinear(t *testing.T) {
	for _, source := range []string{`(a+)+$`, `(a|a)*b`, `a*a*a*a*b`, `(?=a*b)a`, `a+b|a`} {
		text := strings.Repeat("a", 20000) + "!"
		x, err := compile(source)
		if err != nil {
			t.Fatal(err)
		}
		cuts(x, text)
		if few, many := triedPlaces(t, source, text[:2000]), triedPlaces(t, source, text); many > 11*few {
			t.Errorf("%s: %d for 2,000 characters, %d for 20,000", source, few, many)
		}
	}
	for _, source := range []string{`(a*)*b`, `(?:a?|b)+`, `(?:(?:b)*?|a)*`, `(?:^)*`, `(?:(?=a))+`, `(?>a*)*`, `()*`, `(?:a{0})*`, `(?:a?b?)+?c`} {
		if _, err := compile(source); err == nil {
			t.Errorf("%s repeats what may be empty, and was taken", source)
		}
	}
	if _, err := compile(strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200)); err == nil {
		t.Error("brackets 200 deep were taken")
	}
	if _, err := compile(`((a{1000}){1000}){1000}`); err == nil {
		t.Error("a program of a thousand million steps was taken")
	}
}

// ß is ss in any case, and its like: a match of another length, which the table and the matcher don't know.
func TestCasesOfAnotherLengthAreRefused(t *testing.T) {
	for _, source := range []string{`(?i:ss)`, `(?i:STREET)`, `(?i:ß)`, `(?i:[ß])`, `(?i:[À-ÿ])`, `(?i:(?:s)s)`, `(?i:\x73s)`, `(?i:ſs)`, `(?i:office)`, `(?i:ﬁ)`, `(?i:İ)`, `(?i:i\x{307})`} {
		if x, err := compile(source); err == nil || x != nil {
			t.Errorf("%s was taken: %v", source, err)
		}
	}
	for source, text := range map[string]string{
		`(?i:'s|'t|'re|'ve|'m|'ll|'d)`: "'LL", `(?i:s|s)`: "ſ", `ss`: "ss", `(?i:s+)`: "sSſ", `(?i:s)(?-i:s)`: "Ss", `(?i:k[a-z])`: "\u212aZ", `ß`: "ß",
		`(?i:s{2})`: "sS", `(?i:\p{L})`: "ß", `(?i:fun)`: "FuN",
	} {
		x, err := compile(source)
		if err != nil || cuts(x, text) != text {
			t.Errorf("%s and %q: %v", source, text, err)
		}
	}
}
