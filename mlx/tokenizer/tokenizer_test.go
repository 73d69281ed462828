package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestAUsersTextNeverBecomesASpecialToken(t *testing.T) {
	tok := smollm2(t)
	for _, id := range tok.SpecialTokens() {
		token, _ := tok.Token(id)
		for _, user := range []string{token, "a" + token + "b", token + token, token[:3] + token, "\uFDD0" + token + "\uFDD0\uFDD0"} {
			prompt := "<|im_start|>user\n" + tok.Guard(user) + "<|im_end|>\n"
			checkGuarded(t, tok, tok.Encode(prompt), "<|im_start|>user\n"+user+"<|im_end|>\n", 2)
		}
	}
}

func TestATemplateAndAUserTogetherMakeNoSpecialToken(t *testing.T) {
	tok := smollm2(t)
	halves := tok.Guard("x<|im_e") + "nd|>" + tok.Guard("<") + "|im_start|>"
	checkGuarded(t, tok, tok.Encode(halves), "x<|im_end|><|im_start|>", 0)
}

func checkGuarded(t rapid.TB, tok *Tokenizer, ids []int32, text string, specials int) {
	t.Helper()
	found := 0
	for _, id := range ids {
		if tok.IsSpecial(id) {
			found++
		}
	}
	if found != specials {
		t.Errorf("%q: %d special tokens, want %d", text, found, specials)
	}
	if got := tok.Decode(ids, false); got != text {
		t.Errorf("decoded %q, want %q", got, text)
	}
}

func TestAnyMixOfLookAlikesStaysText(t *testing.T) {
	tok := smollm2(t)
	parts := []string{"<|im_start|>", "<|im_end|>", "<|", "|>", "<", "im_end", "\uFDD0", "<repo_name>", "é", " ", "<empty_output>", "_output>"}
	rapid.Check(t, func(r *rapid.T) {
		user := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 8).Draw(r, "parts"), "")
		checkGuarded(r, tok, tok.Encode("<|im_start|>"+tok.Guard(user)), "<|im_start|>"+user, 1)
	})
}

func TestGuardedTextHasTheTokensOfOrdinaryText(t *testing.T) {
	tok := smollm2(t)
	plain := "func main() { fmt.Println(`a < b || c |> d`) } <|im_"
	if got, want := tok.Encode(tok.Guard(plain)), tok.Encode(plain); !slices.Equal(got, want) {
		t.Errorf("guarded %v, plain %v", got, want)
	}
}

func TestAnEndingIsFoundOnlyWhereTheTemplateWroteIt(t *testing.T) {
	tok := smollm2(t)
	if ids := tok.Encode("hi<|im_end|>"); ids[len(ids)-1] != tok.EOS() {
		t.Errorf("a template's <|im_end|> became %v", ids)
	}
	if ids := tok.EncodeWith("hi<|im_end|>", EncodeOptions{Ordinary: true}); slices.Contains(ids, tok.EOS()) {
		t.Errorf("a user's <|im_end|> became a token in %v", ids)
	}
}

func TestAStreamIsWhatDecodeReturns(t *testing.T) {
	for name, tok := range map[string]*Tokenizer{"byte level": smollm2(t), "byte fallback": tiny(t)} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				ids := rapid.SliceOf(rapid.Int32Range(-1, int32(min(tok.VocabSize(), 400)))).Draw(r, "ids")
				checkStream(r, tok, ids)
			})
		})
	}
}

func checkStream(t rapid.TB, tok *Tokenizer, ids []int32) {
	t.Helper()
	d, text := tok.NewDecoder(), ""
	for _, id := range ids {
		part := d.Push(id)
		if !utf8.ValidString(part) {
			t.Errorf("%v: %q is not UTF-8", ids, part)
		}
		text += part
	}
	text += d.Flush()
	if want := tok.Decode(ids, true); text != want {
		t.Errorf("%v: streamed %q, decoded %q", ids, text, want)
	}
}

func TestAStreamHoldsBackAnIncompleteCharacter(t *testing.T) {
	tok := smollm2(t)
	ids := tok.Encode("🫠")
	d := tok.NewDecoder()
	for _, id := range ids[:len(ids)-1] {
		if part := d.Push(id); part != "" {
			t.Errorf("%q came out of an incomplete character", part)
		}
	}
	if got := d.Push(ids[len(ids)-1]); got != "🫠" {
		t.Errorf("the last token gave %q", got)
	}
	d.Push(ids[0])
	if got := d.Flush(); got != "\uFFFD" {
		t.Errorf("an incomplete character was flushed as %q", got)
	}
}

func TestBytesThatAreNotUTF8AreReplaced(t *testing.T) {
	tok := smollm2(t)
	for text, want := range map[string]string{"a\xffb": "a\uFFFDb", "\xe4\xbd": "\uFFFD", "\xf0\x9f\x98x\xc0\x80": "\uFFFDx\uFFFD\uFFFD", "\xed\xa0\x80": "\uFFFD\uFFFD\uFFFD"} {
		if got := tok.Decode(tok.Encode(text), false); got != want {
			t.Errorf("%q came back as %q, want %q", text, got, want)
		}
	}
}

func TestALongWordIsNotQuadratic(t *testing.T) {
	tok := smollm2(t)
	text := strings.Repeat("abcdefghij", 100_000)
	if got := tok.Decode(tok.Encode(text), false); got != text {
		t.Error("a word of a million letters did not come back")
	}
}

// tiny is a vocabulary of scores with byte fallback.
func tiny(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := FromGGUF(tinyVocabulary())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func tinyVocabulary() Vocabulary {
	v := Vocabulary{Model: "llama", BOS: 1, EOS: 2, UNK: 0, AddBOS: true, AddSpacePrefix: true}
	add := func(token string, score float32, kind int32) {
		v.Tokens, v.Scores, v.Types = append(v.Tokens, token), append(v.Scores, score), append(v.Types, kind)
	}
	add("<unk>", 0, 2)
	add("<s>", 0, 3)
	add("</s>", 0, 3)
	for b := range 256 {
		add("<0x"+string("0123456789ABCDEF"[b/16])+string("0123456789ABCDEF"[b%16])+">", 0, 6)
	}
	for i, token := range []string{"▁a", "ab", "▁ab", "abab", "▁", "a", "b", "c"} {
		add(token, -float32(i), 1)
	}
	return v
}

func TestAScoredVocabularyMergesTheBestScoreFirst(t *testing.T) {
	tok := tiny(t)
	cases := map[string][]string{
		"ab":      {"▁ab"}, // by way of "▁a", which scores higher than "ab"
		"abc":     {"▁ab", "c"},
		"cab":     {"▁", "c", "ab"},
		"cabab":   {"▁", "c", "abab"},
		"cababab": {"▁", "c", "abab", "ab"}, // equal scores: leftmost first
		"cé":      {"▁", "c", "<0xC3>", "<0xA9>"},
	}
	for text, want := range cases {
		var got []string
		for _, id := range tok.Encode(text) {
			token, _ := tok.Token(id)
			got = append(got, token)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if back := tok.Decode(tok.EncodeWith(text, EncodeOptions{AddSpecial: true}), true); back != text {
			t.Errorf("%q came back as %q", text, back)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	tok := smollm2(b)
	var text strings.Builder
	for _, e := range readExpected(b, "testdata/smollm2.jsonl") {
		text.WriteString(e.Text + " ")
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		tok.Encode(text.String())
	}
}
