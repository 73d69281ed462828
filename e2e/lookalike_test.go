package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// alike are pairs of questions of which the first ends within a word of the second, or nearly so.
var alike = [][2]string{
	{"What is the capital of Niger?", "What is the capital of Nigeria?"},
	{"What is a car?", "What is a carpet?"},
	{"Describe a user", "Describe a username"},
	{"What is a noun?", "What is an adverb?"},
	{"What is the capital of G", "What is the capital of Germany"},
	{"Tell me about a cat", "Tell me about a catalogue"},
	{"Explain the sun", "Explain the sunset"},
	{"What does port mean?", "What does portrait mean?"},
	{"Is an under", "Is an understanding"},
	{"List three for", "List three forests"},
	{"Write about win", "Write about winter"},
	{"What is a key", "What is a keyboard"},
	{"How do I read", "How do I readjust"},
	{"Who was Mar", "Who was Marie Curie"},
	{"What is inter", "What is international"},
	{"What is 1", "What is 12 + 30"},
}

// asked is one question and what came of it.
func (s *server) asked(t *testing.T, agent, question string) (text string, tokens int) {
	t.Helper()
	body := map[string]any{
		"model": "claude-3-5-sonnet-20241022", "max_tokens": 12, "temperature": 0,
		"messages": []said{{"user", question}},
	}
	var answer reply
	s.send(t, agent, "/v1/messages", body, &answer)
	for _, block := range answer.Content {
		text += block.Text
	}
	return text, answer.Usage.Input + answer.Usage.Created + answer.Usage.Read
}

func (s *server) send(t *testing.T, agent, path string, body, into any) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(limited(t), http.MethodPost, s.url+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Agent-Id", agent)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, response.StatusCode, err)
	}
}

// counted is what count_tokens says of a question.
func (s *server) counted(t *testing.T, question string) int {
	t.Helper()
	var count struct {
		Input int `json:"input_tokens"`
	}
	s.send(t, "", "/v1/messages/count_tokens", map[string]any{"model": "claude-3-5-sonnet-20241022", "messages": []said{{"user", question}}}, &count)
	return count.Input
}

// audited waits until so many requests were computed again without a cache, and says that all were the same.
func (s *server) audited(t *testing.T, requests int) {
	t.Helper()
	audits := func(result string) int {
		n, err := strconv.Atoi(s.metric(t, fmt.Sprintf(`semantic_audits_total{result=%q}`, result)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s.await(t, "audited", func() bool { return audits("equal")+audits("differs")+audits("dropped") >= requests })
	if equal := audits("equal"); equal != requests {
		t.Errorf("%d of %d requests are the same without a cache", equal, requests)
	}
}

// Somebody's question that looks like mine changes neither my tokens nor my answer, before and after it.
func TestALookalikeOfSomebodyElseChangesNothing(t *testing.T) {
	s := start(t)
	pairs := alike
	if len(raceFlag()) > 0 {
		pairs = pairs[:3] // the same, slowly
	}
	for i, pair := range pairs {
		s.asked(t, "a", pair[0])
		text, tokens := s.asked(t, "b", pair[1])
		if want := s.counted(t, pair[1]); tokens != want {
			t.Errorf("%q after %q was computed in %d tokens, not %d", pair[1], pair[0], tokens, want)
		}
		if i < 3 {
			fresh := start(t)
			if want, _ := fresh.asked(t, "b", pair[1]); text != want {
				t.Errorf("%q after %q is answered %q, by a fresh server %q", pair[1], pair[0], text, want)
			}
		}
	}
	s.audited(t, 2*len(pairs))
}

// A question for each keystroke of a sentence.
func TestEveryKeystrokeIsAnsweredAsByAFreshServer(t *testing.T) {
	s := start(t)
	sentence := "What's the café's opening time, naïvely?"
	if len(raceFlag()) > 0 {
		sentence = sentence[16:26]
	}
	n := 0
	for end := range sentence {
		if typed := sentence[:end]; strings.TrimSpace(typed) != "" {
			if _, tokens := s.asked(t, "me", typed); tokens != s.counted(t, typed) {
				t.Errorf("%q was computed in %d tokens, not %d", typed, tokens, s.counted(t, typed))
			}
			n++
		}
	}
	s.audited(t, n)
}
