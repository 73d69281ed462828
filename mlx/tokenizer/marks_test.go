package tokenizer

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestLongRunsOfMarksAreNormalizedWhole(t *testing.T) {
	for _, marks := range []int{9, 10, 11, 29, 30, 31, 32, 100, 10_000} {
		below, apart := strings.Repeat("\u0323", marks), strings.Repeat("\u0308\u0344", marks)
		for text, want := range map[string]string{
			"e" + below + "\u0301":                     "\u1EB9" + below[2:] + "\u0301",
			"a" + strings.Repeat("\u0301", marks):      "á" + strings.Repeat("\u0301", marks-1),
			"x" + below + "e\u0301" + below + "y":      "x" + below + "\u1EB9" + below[2:] + "\u0301y",
			strings.Repeat("\u0301", marks) + "e":      strings.Repeat("\u0301", marks) + "e",
			"q" + apart:                                "q" + strings.Repeat("\u0308\u0308\u0301", marks),
			"가" + strings.Repeat("\u11A8", marks+1):    "각" + strings.Repeat("\u11A8", marks),
			"\u1100" + strings.Repeat("\u1161", marks): "가" + strings.Repeat("\u1161", marks-1),
		} {
			if got := (form{norm.NFC}).apply(text); got != want {
				t.Errorf("%d marks: %+.60q became %+.60q, not %+.60q", marks, text, got, want)
			}
		}
	}
}

// Where runs are short both ways are the same.
func TestFormsByHandAreThoseOfTheLibrary(t *testing.T) {
	pool := []rune("aeo가각ｶﬁ²ẛÅΐ\u0323\u0301\u0308\u0344\u0315\u0345\u05B0\u093C\u09BE\u09C7\u1100\u1161\u11A8\u0F71\u0F73\u2126\uFB1D\u1E9B\U0001D15E")
	rapid.Check(t, func(rt *rapid.T) {
		text := string(rapid.SliceOfN(rapid.SampledFrom(pool), 0, 10).Draw(rt, "text"))
		for _, f := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			all := decompose(f, text)
			if f == norm.NFC || f == norm.NFKC {
				all = compose(all)
			}
			got := slices.Collect(func(yield func(rune) bool) {
				for _, m := range all {
					yield(m.r)
				}
			})
			if want := []rune(f.String(text)); !slices.Equal(got, want) {
				rt.Fatalf("form %d of %+q: %+q, not %+q", f, text, string(got), string(want))
			}
		}
	})
}
