//go:build models

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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

// resident is the memory that the process has now, in megabytes.
func (s *server) resident(t *testing.T) int { return s.memory(t, "VmRSS:") }

// TestGemma3TakesTheEmbeddedModelsPlace swaps the real models to and fro while the server runs: an agent of each goes on from its
// memory, and what is not loaded takes none of the machine's.
func TestGemma3TakesTheEmbeddedModelsPlace(t *testing.T) {
	s := start(t, "SEMANTIC_MLX_CACHE_BUDGET_MB=256")
	gemma, err := filepath.Abs(gemma3)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("Remember rule number seven and tell of it. ", 40)
	ask := func(agent, question string) (r reply) {
		t.Helper()
		s.send(t, agent, "/v1/messages", map[string]any{
			"model": "claude-3-5-sonnet-20241022", "max_tokens": 16, "temperature": 0, "messages": []said{{"user", long + question}},
		}, &r)
		return r
	}
	load := func(id string) {
		t.Helper()
		status, answer := s.ask(t, "/admin/models/load", fmt.Sprintf(`{"id":%q}`, id))
		if status != http.StatusOK || answer["id"] != id {
			t.Fatalf("%d %v", status, answer)
		}
	}
	small := ask("small", "What is the capital of France?")
	before := s.resident(t)
	load(gemma)
	large := ask("large", "The capital of France is")
	between := s.resident(t)
	load(model)
	ask("small", "What is the capital of France?")
	once := s.resident(t)
	for range 3 { // nothing is left of each swap
		load(gemma)
		load(model)
	}
	again := ask("small", "What is the capital of France?")
	after := s.resident(t)
	t.Logf("%d MB with the embedded model, %d with Gemma 3, %d with the embedded one again, %d after three more swaps", before, between, once, after)
	if again.Content[0].Text != small.Content[0].Text || again.Usage.Read < small.Usage.Input-1 {
		t.Errorf("%+v, before %+v", again, small)
	}
	if gained := between - before; gained < 100 || between-once < gained*6/10 || after > once+once/3 {
		t.Errorf("%d MB before, %d between, %d and %d after", before, between, once, after)
	}
	load(gemma)
	if again := ask("large", "The capital of France is"); again.Content[0].Text != large.Content[0].Text || again.Usage.Read < large.Usage.Input-1 {
		t.Errorf("%+v, before %+v", again, large)
	}
}
