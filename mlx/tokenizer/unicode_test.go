package tokenizer

import "testing"

// What a version newer than Go's knows counts, and what is newer than the library's is refused or left alone.
func TestClassesAreThoseOfTheLibrarysUnicode(t *testing.T) {
	for _, c := range []struct{ source, text, want string }{
		{`\p{Todhri}+`, "a\U000105C0\U000105C1b", "\U000105C0\U000105C1"}, // since Unicode 16
		{`\p{Garay}`, "\U00010D40x", "\U00010D40"},
		{`\p{^Han}+`, "字a字", "a"},
		{`[\p{Greek}\p{Cyrillic}]+`, "λж ab", "λж"},
		{`\p{Lu}`, "\uA7DC\uA7DD", "\uA7DC"}, // since Unicode 16
		{`\w+`, "a²\u0345\u24B6-", "a²\u0345\u24B6"},
	} {
		x, err := compile(c.source)
		if err != nil {
			t.Fatal(err)
		}
		if got := cuts(x, c.text); got != c.want {
			t.Errorf("%s cuts %q as %q, not %q", c.source, c.text, got, c.want)
		}
	}
	for _, source := range []string{`\p{Sidetic}`, `\p{Tolong_Siki}`, `\p{Klingon}`, `\p{}`, `\p{^}`, `\p{han}`, `[\p{Beria_Erfe}]`} { // Unicode 17, or none
		if _, err := compile(source); err == nil {
			t.Errorf("%s was taken", source)
		}
	}
}

func TestLowerCaseIsThatOfTheLibrary(t *testing.T) {
	for text, want := range map[string]string{
		"ABC xyz": "abc xyz", "İI": "i̇i", "ΑΣ": "ασ", "Ǆǅ": "ǆǆ", "ẞ": "ß", "ᲐᲿ": "აჿ", "Ⴀ": "ⴀ", "Ꭰ": "ꭰ",
		"\U00010D50": "\U00010D70" /* Unicode 16 */, "\uA7DC": "\u019B", "ĀāĂ": "āāă", "Ⓐ": "ⓐ", "\U00016EA0": "\U00016EBB", /* Unicode 17 */
	} {
		if got := (lowercase{}).apply(text); got != want {
			t.Errorf("the lower case of %q is %q, not %q", text, got, want)
		}
	}
}

func TestAWordStandsAloneAsRustHasIt(t *testing.T) {
	for text, want := range map[string]bool{
		"x.w": true, "xw": false, "\U00010D4Aw": false /* a letter since Unicode 16 */, "²w": true, "\u200Dw": false, "\u24B6w": false, "-w-": true, "w_": false,
	} {
		at := len(text) - 1
		if text[at] != 'w' {
			at--
		}
		if got := isSingleWord(text, at, at+1); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
