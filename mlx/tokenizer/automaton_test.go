package tokenizer

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	gpt4oWords = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
		`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	deepseekWords = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+" +
		`|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// slowly is the pattern with the matcher alone.
func slowly(x *regex) *regex {
	return &regex{program: x.program, memories: x.memories}
}

func TestPatternsOfVocabulariesHaveATable(t *testing.T) {
	for _, source := range []string{gpt2Words, qwenWords, llamaWords, gpt4oWords, deepseekWords, `\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, `\p{Han}+`, `\s+`} {
		x, err := compile(source)
		if err != nil {
			t.Fatal(err)
		}
		if x.automaton == nil {
			t.Errorf("%s has no table", source)
		}
	}
	for _, source := range []string{`^a`, `(?<=a)b`, `a++b`, `a(?!bc)`, `(?:a?){600}b`} {
		if x, err := compile(source); err != nil || x.automaton != nil {
			t.Errorf("%s has a table, which can't be right or is too large (%v)", source, err)
		}
	}
}

// expression draws a pattern of all that can stand in a table. What is repeated without end is not empty.
func expression(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(rt *rapid.T) string {
		one := rapid.SampledFrom([]string{"a", "b", "é", ".", "[ab]", "[^a]", `\s`, `\S`, `\p{L}`, `(?i:k)`, `\p{Han}`})
		if depth == 0 || rapid.Bool().Draw(rt, "atom") {
			return rapid.OneOf(one, rapid.SampledFrom([]string{"(?!a)", "(?=b)", `(?!\S)`, "(?:)"})).Draw(rt, "what")
		}
		inner := expression(depth - 1)
		switch rapid.IntRange(0, 3).Draw(rt, "kind") {
		case 0:
			return inner.Draw(rt, "left") + inner.Draw(rt, "right")
		case 1:
			return "(?:" + inner.Draw(rt, "left") + "|" + inner.Draw(rt, "right") + ")"
		case 2:
			return "(?:" + inner.Draw(rt, "repeated") + ")" + rapid.SampledFrom([]string{"?", "??", "{0,2}", "{2}"}).Draw(rt, "times")
		}
		body := inner.Draw(rt, "before") + one.Draw(rt, "one") + inner.Draw(rt, "after")
		return "(?:" + body + ")" + rapid.SampledFrom([]string{"*", "+", "*?", "+?", "{1,}"}).Draw(rt, "times")
	})
}

func TestTablesFindWhatTheMatcherFinds(t *testing.T) {
	pool := []string{"a", "a", "b", "é", " ", "\n", "K", "k", "字", "\U000105C0", "'s", "1", "A", "\u0301", "/", "\xff"}
	rapid.Check(t, func(rt *rapid.T) {
		source := rapid.OneOf(expression(4), rapid.SampledFrom([]string{gpt4oWords, deepseekWords, llamaWords})).Draw(rt, "source")
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pool), 0, 30).Draw(rt, "text"), "")
		x, err := compile(source)
		if err != nil {
			rt.Fatal(err)
		}
		if got, want := cuts(x, text), cuts(slowly(x), text); got != want {
			rt.Fatalf("%s cuts %q as %q, the matcher as %q", source, text, got, want)
		}
	})
}

// A table that looks far ahead in vain from every place hands the rest to the matcher.
func TestATableThatLooksInVainGivesUp(t *testing.T) {
	for _, source := range []string{`a+b|a`, `(?:a|aa)+!|a`, `a*b`} {
		x, err := compile(source)
		if err != nil || x.automaton == nil {
			t.Fatal(source, err)
		}
		text := strings.Repeat("a", 20_000) + "c" + strings.Repeat("ab", 50)
		if at := x.automaton.each(text, func(int, int) {}); at > 100 {
			t.Errorf("%s: the table went on to %d", source, at)
		}
		if got, want := cuts(x, text), cuts(slowly(x), text); got != want {
			t.Errorf("%s: %.80q, not %.80q", source, got, want)
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, source := range []string{gpt2Words, llamaWords, gpt4oWords, deepseekWords, `(?i:k|s)+?x{2,3}`, `(?<=a)b|(?!c)\\p{^Han}`, `(?>a+)b|^$`} {
		f.Add(source, "it's 1234 été\n\n  字aab")
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		x, err := compile(source)
		if err != nil {
			return
		}
		if got, want := cuts(x, text), cuts(slowly(x), text); got != want {
			t.Errorf("%q cuts %q as %q, by the matcher as %q", source, text, got, want)
		}
	})
}

func BenchmarkCut(b *testing.B) {
	text := strings.Repeat("The quick brown fox can't jump over what it doesn't see; they're 42 of 1,234,567 anyway. ", 1000)
	patterns := map[string]pattern{}
	for name, source := range map[string]string{"GPT-2": gpt2Words, "Llama 3": llamaWords, "GPT-4o": gpt4oWords, "DeepSeek V3": deepseekWords} {
		x, err := compile(source)
		if err != nil {
			b.Fatal(err)
		}
		patterns[name], patterns[name+", matcher"] = x, slowly(x)
	}
	for name, p := range patterns {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				p.each(text, func(int, int) {})
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := compile(gpt4oWords); err != nil {
			b.Fatal(err)
		}
	}
}
