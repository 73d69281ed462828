package tokenizer

import (
	"strings"
	"testing"
)

// fileWith is a small tokenizer.json with one part replaced.
func fileWith(part, value string) []byte {
	parts := []struct{ name, value string }{
		{"added_tokens", `[{"id":9,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}]`},
		{"normalizer", "null"},
		{"pre_tokenizer", `{"type":"Split","pattern":{"String":" "},"behavior":"Removed","invert":false}`},
		{"post_processor", "null"},
		{"decoder", `{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"}]}`},
		{"model", `{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3,"▁":4,"▁a":5," ":6,"A":7,"<unk>":8},"merges":["a b",["▁","a"]]}`},
	}
	var b strings.Builder
	b.WriteString(`{"version":"1.0"`)
	for _, p := range parts {
		if p.name == part {
			p.value = value
		}
		b.WriteString(`,"` + p.name + `":` + p.value)
	}
	return []byte(b.String() + "}")
}

func TestWhatIsNotKnownIsRefusedAtLoad(t *testing.T) {
	cases := []struct{ part, value, says string }{
		{"normalizer", `{"type":"Precompiled","precompiled_charsmap":"x"}`, "Precompiled"},
		{"normalizer", `{"type":"NFC","odd":1}`, "odd"},
		{"normalizer", `{"type":"Sequence","normalizers":[{"type":"BertNormalizer"}]}`, "BertNormalizer"},
		{"pre_tokenizer", `{"type":"UnicodeScripts"}`, "UnicodeScripts"},
		{"pre_tokenizer", `{"type":"Split","pattern":{"Regex":"[a"},"behavior":"Isolated","invert":false}`, "[a"},
		{"pre_tokenizer", `{"type":"Split","pattern":{"Regex":"[[:alpha:]]"},"behavior":"Isolated","invert":false}`, "not supported"},
		{"pre_tokenizer", `{"type":"Split","pattern":{"String":"x"},"behavior":"Sideways","invert":false}`, "Sideways"},
		{"pre_tokenizer", `{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]}`, "ByteLevel"},
		{"post_processor", `{"type":"BertProcessing"}`, "BertProcessing"},
		{"post_processor", `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<x>","type_id":0}}],"special_tokens":{}}`, "piece"},
		{"post_processor", `{"type":"TemplateProcessing","single":[],"special_tokens":{}}`, "once"},
		{"decoder", `null`, "joined"},
		{"decoder", `{"type":"WordPiece"}`, "WordPiece"},
		{"decoder", `{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"ByteFallback"}]}`, "ByteFallback"},
		{"model", `{"type":"Unigram","vocab":{}}`, "Unigram"},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":["a b"]}`, "merge 0"},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":["a"]}`, "two tokens"},
		{"model", `{"type":"BPE","vocab":{"a":2000000000},"merges":[]}`, "out of range"},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}`, "dropout"},
		{"model", `{"type":"BPE","vocab":{"a":0},"merges":[],"end_of_word_suffix":"</w>"}`, "end_of_word_suffix"},
		{"added_tokens", `[{"id":7,"content":"a","special":true}]`, "vocabulary says"},
		{"added_tokens", `[{"id":7,"content":"#","special":true}]`, "single character"},
		{"added_tokens", `[{"id":-7,"content":"##","special":true}]`, "out of range"},
	}
	for _, c := range cases {
		_, err := FromJSON(fileWith(c.part, c.value))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: error %v, want one that says %q", c.part, c.value, err, c.says)
		}
	}
}

func TestAnUnknownFamilyOfAGGUFFileIsRefused(t *testing.T) {
	for _, v := range []Vocabulary{
		{Model: "bert", Tokens: []string{"a"}, BOS: -1, EOS: -1},
		{Model: "gpt2", Pre: "mystery", Tokens: []string{"a"}, BOS: -1, EOS: -1},
		{Model: "gpt2", Pre: "smollm", Tokens: []string{"a"}, BOS: 5, EOS: -1},
		{Model: "gpt2", Pre: "smollm", Tokens: []string{"a"}, Types: []int32{1, 1}, BOS: -1, EOS: -1},
		{Model: "llama", Tokens: []string{"a"}, BOS: -1, EOS: -1},
		{Model: "gpt2", Pre: "smollm", BOS: -1, EOS: -1},
	} {
		if _, err := FromGGUF(v); err == nil {
			t.Errorf("%+v was loaded", v)
		}
	}
}

func TestSplitsDoWhatTheirBehaviourSays(t *testing.T) {
	cases := []struct {
		behaviour behaviour
		invert    bool
		want      string
	}{
		{removed, false, "the|final|countdown"},
		{isolated, false, "the|-|final|-|-|countdown"},
		{mergedWithPrevious, false, "the-|final-|-|countdown"},
		{mergedWithNext, false, "the|-final|-|-countdown"},
		{contiguous, false, "the|-|final|--|countdown"},
		{removed, true, "-|-|-"},
	}
	for _, c := range cases {
		var got []string
		cutter{literal("-"), c.behaviour, c.invert}.split(piece{"the-final--countdown", true}, func(p piece) { got = append(got, p.text) })
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("behaviour %d, invert %v: %s, want %s", c.behaviour, c.invert, s, c.want)
		}
	}
}

func TestTablesCutTheCorpusAsTheMatcherDoes(t *testing.T) {
	for _, source := range []string{gpt2Words, qwenWords, llamaWords, gpt4oWords, deepseekWords} {
		x, err := compile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range readExpected(t, "testdata/smollm2.jsonl") {
			if got, want := cuts(x, e.Text), cuts(slowly(x), e.Text); got != want {
				t.Errorf("%q: cut as %q, by the matcher as %q", e.Text, got, want)
			}
		}
	}
}

func cuts(p pattern, text string) string {
	var parts []string
	p.each(text, func(start, end int) { parts = append(parts, text[start:end]) })
	return strings.Join(parts, "¦")
}

func TestAddedTokensSwallowTheSpaceTheyAskFor(t *testing.T) {
	added := newAddedTokens()
	added.add("<m>", addedToken{ID: 1, LStrip: true, RStrip: true})
	added.add("word", addedToken{ID: 2, SingleWord: true})
	var got []string
	text := "a <m>  b words word.<m> <m>"
	added.each(text, func(s span) { got = append(got, text[s.start:s.end]) })
	if s := strings.Join(got, "|"); s != "a| <m>  |b words |word|.|<m> |<m>" {
		t.Errorf("cut as %s", s)
	}
}

func FuzzFromJSON(f *testing.F) {
	f.Add(fileWith("", ""))
	f.Add(fileWith("pre_tokenizer", `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}`))
	f.Add(fileWith("normalizer", `{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}`))
	f.Add(fileWith("decoder", `{"type":"ByteLevel"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := FromJSON(data)
		if err != nil {
			return
		}
		ids := tok.EncodeWith("<s>ab ▁a ü\x80", EncodeOptions{AddSpecial: true})
		tok.Decode(ids, false)
	})
}

func FuzzEncodeDecode(f *testing.F) {
	tok, small := smollm2(f), tiny(f)
	f.Add("Hello <|im_end|> \uFDD0 \xff 1234 \n\n x")
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.EncodeWith(text, EncodeOptions{Ordinary: true})
		if got, want := tok.Decode(ids, false), spellable(tok, validUTF8(text)); got != want {
			t.Errorf("%q came back as %q, want %q", text, got, want)
		}
		checkStream(t, tok, ids)
		checkStream(t, small, small.Encode(text))
	})
}

// spellable is text without the bytes that the vocabulary has no tokens for, as the decoder shows the rest:
// SmolLM2's lacks some control characters and leading bytes of unassigned planes, and the Rust library drops
// them too.
func spellable(tok *Tokenizer, text string) string {
	var kept []byte
	for _, b := range []byte(text) {
		if tok.model.byteIDs[b] >= 0 {
			kept = append(kept, b)
		}
	}
	return validUTF8(string(kept))
}
