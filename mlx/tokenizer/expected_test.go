package tokenizer

// Comparison with what the Rust library says, as written by oracle/tokens.py.

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/internal/testmodel"
)

type expected struct {
	Text     string  `json:"text"`
	IDs      []int32 `json:"ids"`
	Special  []int32 `json:"special"`
	Ordinary []int32 `json:"ordinary"`
	Decoded  string  `json:"decoded"`
	Skipped  string  `json:"skipped"`
}

func readExpected(t testing.TB, path string) []expected {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatalf("open expected tokens (oracle/run.sh writes them): %v", err)
	}
	defer file.Close()
	var all []expected
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var e expected
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(all), err)
	}
	return all
}

// compare returns the number of strings for which anything differs.
func compare(t testing.TB, tok *Tokenizer, all []expected) int {
	t.Helper()
	wrong := 0
	for _, e := range all {
		if what := difference(tok, e); what != "" {
			if wrong++; wrong <= 10 {
				t.Errorf("%.200q: %s", e.Text, what)
			}
		}
	}
	return wrong
}

func difference(tok *Tokenizer, e expected) string {
	text := strings.ReplaceAll(e.Text, GuardMark, GuardMark+GuardMark) // a template's text has no marks of its own
	ids := tok.Encode(text)
	switch {
	case !slices.Equal(ids, e.IDs):
		return diffIDs("ids", tok, ids, e.IDs)
	case !slices.Equal(tok.EncodeWith(text, EncodeOptions{AddSpecial: true}), e.Special):
		return diffIDs("with special tokens", tok, tok.EncodeWith(text, EncodeOptions{AddSpecial: true}), e.Special)
	case !slices.Equal(tok.EncodeWith(e.Text, EncodeOptions{Ordinary: true}), e.Ordinary):
		return diffIDs("ordinary", tok, tok.EncodeWith(e.Text, EncodeOptions{Ordinary: true}), e.Ordinary)
	case tok.Decode(e.IDs, false) != e.Decoded:
		return "decoded as " + tok.Decode(e.IDs, false) + ", want " + e.Decoded
	case tok.Decode(e.IDs, true) != e.Skipped:
		return "decoded without special tokens as " + tok.Decode(e.IDs, true) + ", want " + e.Skipped
	}
	return ""
}

func diffIDs(what string, tok *Tokenizer, got, want []int32) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	show := func(ids []int32) string {
		data, _ := json.Marshal(ids[i:min(len(ids), i+8)])
		return string(data) + tok.Decode(ids[i:min(len(ids), i+8)], false)
	}
	return what + ": from the first difference on " + show(got) + ", want " + show(want)
}

func smollm2(t testing.TB) *Tokenizer {
	t.Helper()
	tok, err := FromGGUF(smollm2Vocabulary(t))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func smollm2Vocabulary(t testing.TB) Vocabulary {
	t.Helper()
	meta := testmodel.Metadata(t)
	return Vocabulary{
		Model:  meta["tokenizer.ggml.model"].(string),
		Pre:    meta["tokenizer.ggml.pre"].(string),
		Tokens: meta["tokenizer.ggml.tokens"].([]string),
		Types:  meta["tokenizer.ggml.token_type"].([]int32),
		Merges: meta["tokenizer.ggml.merges"].([]string),
		BOS:    int32(meta["tokenizer.ggml.bos_token_id"].(uint32)),
		EOS:    int32(meta["tokenizer.ggml.eos_token_id"].(uint32)),
		UNK:    int32(meta["tokenizer.ggml.unknown_token_id"].(uint32)),
		AddBOS: meta["tokenizer.ggml.add_bos_token"].(bool),
	}
}

func TestSmolLM2TokensAreThoseOfTheRustLibrary(t *testing.T) {
	compare(t, smollm2(t), readExpected(t, "testdata/smollm2.jsonl"))
}
