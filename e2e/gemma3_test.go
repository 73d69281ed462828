//go:build models

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const gemma3 = "../.models/gemma-3-270m-q4_k_m.gguf"

// continued is a line of mlx/model/testdata/gemma3_greedy.jsonl, made by oracle/gemma3_tokens.py with NumPy.
type continued struct {
	Text, Said string
	Prompt     []int32
}

func readContinued(t *testing.T) (all []continued) {
	t.Helper()
	raw, err := os.ReadFile("../mlx/model/testdata/gemma3_greedy.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		var c continued
		if line[0] == '#' {
			continue
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if len(all) != 10 {
		t.Fatalf("%d lines of golden continuations, expected 10", len(all))
	}
	return all
}

// TestGemma3ContinuesTexts gives the real model, which was not tuned for conversations, a template that writes
// the user's text and nothing else. It continues it as NumPy does in float32, in as many tokens; one answer of
// ten may go another way where two tokens are nearly as likely.
func TestGemma3ContinuesTexts(t *testing.T) {
	template := filepath.Join(t.TempDir(), "plain.jinja")
	if err := os.WriteFile(template, []byte(`{{ bos_token }}{{ messages[0].content }}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "SEMANTIC_MLX_MODEL_ID="+gemma3, "SEMANTIC_MLX_CHAT_TEMPLATE="+template)
	differing := 0
	for _, c := range readContinued(t) {
		var answer reply
		s.send(t, "continuing", "/v1/messages", map[string]any{
			"model": "claude-3-5-sonnet-20241022", "max_tokens": 32, "temperature": 0, "messages": []said{{"user", c.Text}},
		}, &answer)
		if u := answer.Usage; u.Input+u.Created+u.Read != len(c.Prompt) {
			t.Errorf("%.60q has %+v tokens, expected %d", c.Text, u, len(c.Prompt))
		}
		if len(answer.Content) != 1 || answer.Content[0].Text != c.Said {
			t.Logf("%.60q goes on with %q, in float32 with %q", c.Text, answer.Content, c.Said)
			differing++
		}
	}
	if differing > 1 {
		t.Errorf("%d of 10 answers differ", differing)
	}
}

// TestGemma3TalksAndRemembers has a conversation in Gemma's own turns, which the vocabulary's marks tell, and
// goes on with it in a process that has the first one's disk.
func TestGemma3TalksAndRemembers(t *testing.T) {
	folder := "SEMANTIC_AGENT_CACHE_DIR=" + t.TempDir()
	first := start(t, "SEMANTIC_MLX_MODEL_ID="+gemma3, folder)
	story := readContinued(t)[9].Text // longer than two windows
	turns := []said{{"user", story + " What was in the village?"}}
	answer := first.talkAs(t, "teller", turns)
	if len(answer.Content) != 1 || answer.Usage.Read != 0 {
		t.Fatalf("the first answer is %+v", answer)
	}
	turns = append(turns, said{"assistant", answer.Content[0].Text}, said{"user", "And then?"})
	want := first.talkAs(t, "teller", turns)
	first.terminate(t)
	<-first.ended
	second := start(t, "SEMANTIC_MLX_MODEL_ID="+gemma3, folder)
	got := second.talkAs(t, "teller", turns)
	if fmt.Sprint(got.Content) != fmt.Sprint(want.Content) || got.Usage.Read < 1024 {
		t.Errorf("after a restart %+v, before %+v", got, want)
	}
}
