package tokenizer

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// chainOf is a Sequence of so many of one step.
func chainOf(list, step string, times int) string {
	return `{"type":"Sequence","` + list + `":[` + strings.TrimSuffix(strings.Repeat(step+",", times), ",") + `]}`
}

func replaceStep(kind, pattern, content string) string {
	return fmt.Sprintf(`{"type":"Replace","pattern":{%q:%q},"content":%q}`, kind, pattern, content)
}

func TestStepsThatMultiplyATextAreRefusedAtLoad(t *testing.T) {
	double := replaceStep("String", "a", "aa")
	around := replaceStep("String", "a", "bb") + "," + replaceStep("String", "b", "aa")
	cases := map[string][2]string{
		"doubling":            {"normalizer", chainOf("normalizers", double, 40)},
		"seven doublings":     {"normalizer", chainOf("normalizers", double, 7)},
		"doubling in a ring":  {"normalizer", chainOf("normalizers", around, 20)},
		"nested":              {"normalizer", chainOf("normalizers", chainOf("normalizers", double, 6), 6)},
		"by expression":       {"normalizer", chainOf("normalizers", replaceStep("Regex", "[a-c]", "abc"), 10)},
		"any character":       {"normalizer", chainOf("normalizers", replaceStep("Regex", ".", "éa"), 10)},
		"one long content":    {"normalizer", replaceStep("String", " ", strings.Repeat("x", 1000))},
		"prepended":           {"normalizer", chainOf("normalizers", `{"type":"Prepend","prepend":"`+strings.Repeat("a", 20)+`"},`+double, 5)},
		"compatibility":       {"normalizer", chainOf("normalizers", `{"type":"NFKD"},`+replaceStep("String", "ا", "ﷺ"), 3)},
		"many harmless steps": {"normalizer", chainOf("normalizers", `{"type":"NFC"}`, 500)},
		"deep":                {"normalizer", strings.Repeat(`{"type":"Sequence","normalizers":[`, 500) + `{"type":"NFC"}` + strings.Repeat(`]}`, 500)},
		"many cuts":           {"pre_tokenizer", chainOf("pretokenizers", `{"type":"Digits","individual_digits":true}`, 500)},
		"decoder":             {"decoder", chainOf("decoders", double, 40)},
		"long decoder":        {"decoder", chainOf("decoders", replaceStep("String", "x", "y"), 500)},
	}
	for name, c := range cases {
		_, err := FromJSON(fileWith(c[0], c[1]))
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "the most is") && !strings.Contains(err.Error(), "steps") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStepsOfRealVocabulariesAreTaken(t *testing.T) {
	spaces := replaceStep("String", " ", "▁")
	for _, normalizer := range []string{
		spaces, chainOf("normalizers", `{"type":"Prepend","prepend":"▁"},`+spaces, 1),
		chainOf("normalizers", `{"type":"NFKC"},{"type":"Lowercase"},{"type":"Prepend","prepend":"▁"},`+spaces, 1),
		chainOf("normalizers", `{"type":"NFC"},`+replaceStep("Regex", `\s+`, " ")+`,{"type":"Lowercase"}`, 1),
		chainOf("normalizers", replaceStep("String", "``", `"`)+","+replaceStep("String", "''", `"`)+","+replaceStep("Regex", " {2,}", " ")+`,{"type":"NFKD"},`+spaces, 1),
		// each writes what no other reads
		chainOf("normalizers", replaceStep("String", ",", "、")+","+replaceStep("String", ".", "。")+","+replaceStep("String", "!", "！")+","+replaceStep("String", "?", "？")+","+spaces, 1),
	} {
		if _, err := FromJSON(fileWith("normalizer", normalizer)); err != nil {
			t.Errorf("%s: %v", normalizer, err)
		}
	}
}

// No text becomes longer than was foretold.
func TestGrowthIsNoLessThanTheTruth(t *testing.T) {
	pool := []string{"a", "b", "ab", "é", "K", "ﷺ", "ΐ", "\u0301", " ", "▁", "Ⱥ", "İ", "𝅘𝅥𝅮", "9"}
	word := rapid.Custom(func(rt *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pool), 1, 4).Draw(rt, "word"), "")
	})
	step := rapid.Custom(func(rt *rapid.T) normalizer {
		switch rapid.IntRange(0, 5).Draw(rt, "kind") {
		case 0:
			return replace{literal(word.Draw(rt, "pattern")), word.Draw(rt, "content")}
		case 1:
			x, _ := compile(rapid.SampledFrom([]string{`[a-c]`, `\s+`, `.`, `\p{L}`, `é|b`, `[^a]`, `a(?=b)`}).Draw(rt, "expression"))
			return replace{x, word.Draw(rt, "content")}
		case 2:
			return prepend(word.Draw(rt, "prefix"))
		case 3:
			return lowercase{}
		case 4:
			return strip{true, false}
		}
		return form{rapid.SampledFrom([]norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD}).Draw(rt, "form")}
	})
	rapid.Check(t, func(rt *rapid.T) {
		chain := normalizers(rapid.SliceOfN(step, 0, 5).Draw(rt, "chain"))
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pool), 1, 12).Draw(rt, "text"), "")
		g := chain.grow(noGrowth())
		if got := len(chain.apply(text)); float64(got) > g.sum(text)+g.constant+1e-6 {
			rt.Fatalf("%q became %d bytes, not the %g at most", text, got, g.sum(text)+g.constant)
		}
	})
}

// Every character there is, through the forms and the lower case.
func TestCharactersGrowNoMoreThanForetold(t *testing.T) {
	for _, step := range []normalizer{form{norm.NFC}, form{norm.NFD}, form{norm.NFKC}, form{norm.NFKD}, lowercase{}} {
		g := step.grow(noGrowth())
		for r := rune(0); r <= 0x10FFFF; r++ {
			text := string(r)
			if got := len(step.apply(text)); float64(got) > g.sum(text) {
				t.Errorf("%T: %q became %d bytes, not the %g at most", step, text, got, g.sum(text))
			}
		}
	}
}
