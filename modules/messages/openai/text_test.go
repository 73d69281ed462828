package openai_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

const textPath = "/v1/completions"

type continuation struct {
	ID, Object, Model string
	Choices           []struct {
		Text   string
		Reason *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Details    struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
	Error *struct{ Param *string }
}

func goOn(t *testing.T, server *messagestest.Server, status int, fields ...string) (c continuation, raw string) {
	t.Helper()
	answer := server.Post(t, textPath, with(append([]string{"messages", ""}, fields...)...))
	raw = messagestest.Text(t, answer)
	if err := json.Unmarshal([]byte(raw), &c); err != nil || answer.StatusCode != status {
		t.Fatalf("%d %s, %v", answer.StatusCode, raw, err)
	}
	return c, raw
}

// A text is gone on with as it is, whole or in pieces, and what was said is read when more is asked for.
func TestATextIsGoneOnWith(t *testing.T) {
	server := serve(t, messagestest.Setup{Engine: messagestest.WithMemory})
	begun := strings.Repeat("The capital of France is ", 40)
	quoted, _ := json.Marshal(begun)
	got, raw := goOn(t, server, http.StatusOK, "prompt", string(quoted), "max_tokens", "100")
	messagestest.Described(t, server.Schemas, "TextCompletion", raw, true)
	if got.Object != "text_completion" || !strings.HasPrefix(got.ID, "cmpl-") || got.Choices[0].Text != "Hello, world!" || *got.Choices[0].Reason != "stop" {
		t.Errorf("%s", raw)
	}
	if again, raw := goOn(t, server, http.StatusOK, "prompt", "["+string(quoted)+"]", "echo", "true"); again.Choices[0].Text != begun+"Hello, world!" || again.Usage.Details.Cached < len(begun)/2 {
		t.Errorf("%s", raw)
	}
	text, reason, usage := "", "", 0
	for line := range strings.Lines(messagestest.Text(t, server.Post(t, textPath, with("messages", "", "prompt", string(quoted), "max_tokens", "5", "stream", "true", "stream_options", `{"include_usage":true}`)))) {
		data, found := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !found || data == "[DONE]" {
			continue
		}
		messagestest.Described(t, server.Schemas, "TextCompletion", data, true)
		var piece continuation
		if err := json.Unmarshal([]byte(data), &piece); err != nil {
			t.Fatal(err)
		}
		for _, choice := range piece.Choices {
			text += choice.Text
			if choice.Reason != nil {
				reason = *choice.Reason
			}
		}
		if piece.Usage != nil {
			usage = piece.Usage.Completion
		}
	}
	if text != "Hello" || reason != "length" || usage != 5 {
		t.Errorf("%q ended by %s after %d tokens", text, reason, usage)
	}
}

// What can't be is refused by its name.
func TestContinuationsAreRefusedByName(t *testing.T) {
	server := serve(t, messagestest.Setup{})
	for param, fields := range map[string][]string{
		"prompt":   {},
		"best_of":  {"prompt", `"a"`, "best_of", "2"},
		"suffix":   {"prompt", `"a"`, "suffix", `"b"`},
		"logprobs": {"prompt", `"a"`, "logprobs", "1"},
		"n":        {"prompt", `"a"`, "n", "2"},
	} {
		if got, raw := goOn(t, server, http.StatusBadRequest, fields...); got.Error == nil || got.Error.Param == nil || *got.Error.Param != param {
			t.Errorf("%s: %s", param, raw)
		}
	}
	for _, prompt := range []string{`[1,2]`, `["a","b"]`, `[]`, `{}`, `7`} {
		if got, raw := goOn(t, server, http.StatusBadRequest, "prompt", prompt); got.Error == nil || *got.Error.Param != "prompt" {
			t.Errorf("%s: %s", prompt, raw)
		}
	}
}
