package prompt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
)

// tokensOf is a vocabulary of bytes and the given special tokens.
func tokensOf(t *testing.T, special ...string) *tokenizer.Tokenizer {
	t.Helper()
	v := tokenizer.Vocabulary{Model: "llama", BOS: 0, EOS: -1, UNK: -1}
	for _, token := range append([]string{"<bos>"}, special...) {
		v.Tokens, v.Types = append(v.Tokens, token), append(v.Types, 3)
	}
	for b := range 256 {
		v.Tokens, v.Types = append(v.Tokens, "<0x"+strings.ToUpper(string("0123456789abcdef"[b/16])+string("0123456789abcdef"[b%16]))+">"), append(v.Types, 6)
	}
	v.Scores = make([]float32, len(v.Tokens))
	tokens, err := tokenizer.FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestTheEndsOfAnAnswerAreKnownWhateverTheFileNames(t *testing.T) {
	for _, c := range []struct {
		special  []string
		template string
		want     []string
	}{
		{[]string{"<|im_start|>", "<|im_end|>", "<|endoftext|>"}, "chatml", []string{"<|im_end|>", "<|endoftext|>"}},
		{[]string{"<start_of_turn>", "<end_of_turn>", "<eos>"}, "gemma", []string{"<end_of_turn>", "<eos>"}},
		{[]string{"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"}, "llama3", []string{"<|eot_id|>", "<|eom_id|>"}},
		{[]string{"<|user|>", "<|assistant|>", "<|end|>"}, "phi3", []string{"<|end|>"}},
		// An end that only this template knows.
		{[]string{"<said>", "<done>"}, "{% for m in messages %}<said>{{ m.content }}<done>{% endfor %}", []string{"<done>"}},
		// Turns without an end: what begins the next one is none.
		{[]string{"<said>"}, "{% for m in messages %}<said>{{ m.content }}{% endfor %}", nil},
	} {
		source, ok := chat.Family(c.template)
		if !ok {
			source = c.template
		}
		template, err := chat.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		p := New(tokensOf(t, c.special...), template)
		var got []string
		for _, id := range p.StopTokens() {
			token, _ := p.tokens.Token(id)
			got = append(got, token)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: answers end with %q, want %q", c.template, got, c.want)
		}
	}
}

func TestAModelWithoutAnyEndIsRefused(t *testing.T) {
	if _, err := WithStopTokens(endless{}, nil); err == nil {
		t.Error("a model whose answers never end was taken")
	}
	m, err := WithStopTokens(endless{}, []int32{7, enginetest.Vocabulary})
	if err != nil || !slices.Equal(m.Spec().StopTokens, []int32{7}) {
		t.Errorf("%v, %v", m.Spec().StopTokens, err)
	}
}

type endless struct{ engine.Model }

func (endless) Spec() engine.Spec { return engine.Spec{Vocabulary: enginetest.Vocabulary} }

func TestATemplateIsFoundOrChosen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.jinja")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	chatml, _ := chat.Family("chatml")
	gemma, _ := chat.Family("gemma")
	marked, plain := tokensOf(t, "<|im_start|>", "<|im_end|>"), tokensOf(t, "<eos>")
	for _, c := range []struct {
		chosen, own string
		tokens      *tokenizer.Tokenizer
		want        string
	}{
		{"", "own", marked, "own"}, {"", "", marked, chatml}, {"gemma", "own", marked, gemma}, {file, "own", plain, "mine"},
		{"", "", plain, ""}, {"nothing", "own", marked, ""},
	} {
		got, err := chooseTemplate(c.chosen, c.own, c.tokens)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("chosen %q, own %q: %q, %v", c.chosen, c.own, got, err)
		}
	}
}
