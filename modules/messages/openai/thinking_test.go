package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// deltas are the texts that a stream's events have in a field, joined.
func deltas(stream string, field func(json.RawMessage) string) (all string) {
	for line := range strings.SplitSeq(stream, "\n") {
		if data, isData := strings.CutPrefix(line, "data: "); isData && data != "[DONE]" {
			all += field(json.RawMessage(data))
		}
	}
	return all
}

// What the model thinks is reasoning_content in chat completions and an item of its own in responses, and comes back in both.
func TestThoughtsAreToldApart(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.ThinkingTemplate, "<think>\nHm.\nSo.\n</think>\n\nFine."))
	whole := messagestest.Text(t, server.Post(t, "/v1/chat/completions", `{"model":"house-model","messages":[{"role":"user","content":"What?"}]}`))
	var chat struct {
		Choices []struct {
			Message struct {
				Content   string `json:"content"`
				Reasoning string `json:"reasoning_content"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal([]byte(whole), &chat); err != nil || chat.Choices[0].Message.Content != "Fine." || chat.Choices[0].Message.Reasoning != "Hm.\nSo." {
		t.Fatal(whole)
	}
	streamed := messagestest.Text(t, server.Post(t, "/v1/chat/completions", `{"model":"house-model","stream":true,"messages":[{"role":"user","content":"What?"}]}`))
	said, thought := "", ""
	deltas(streamed, func(data json.RawMessage) string {
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content   string `json:"content"`
					Reasoning string `json:"reasoning_content"`
				} `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal(data, &chunk); err != nil {
			t.Fatal(err)
		}
		for _, choice := range chunk.Choices {
			said, thought = said+choice.Delta.Content, thought+choice.Delta.Reasoning
		}
		return ""
	})
	if said != "Fine." || thought != "Hm.\nSo." {
		t.Errorf("%q %q", said, thought)
	}
	whole = messagestest.Text(t, server.Post(t, "/v1/responses", `{"model":"house-model","input":"What?"}`))
	var response struct {
		Output []json.RawMessage `json:"output"`
	}
	if err := json.Unmarshal([]byte(whole), &response); err != nil || len(response.Output) != 2 || !strings.Contains(string(response.Output[0]), `"type":"reasoning"`) {
		t.Fatal(whole)
	}
	streamed = messagestest.Text(t, server.Post(t, "/v1/responses", `{"model":"house-model","stream":true,"input":"What?"}`))
	thought = deltas(streamed, func(data json.RawMessage) string {
		messagestest.Described(t, server.Schemas, "ResponseStreamEvent", string(data), true)
		var event struct{ Type, Delta string }
		if err := json.Unmarshal(data, &event); err != nil || event.Type != "response.reasoning_text.delta" {
			return ""
		}
		return event.Delta
	})
	if thought != "Hm.\nSo." {
		t.Errorf("%q\n%s", thought, streamed)
	}
	back := `[{"role":"user","content":"What?"},` + string(response.Output[0]) + `,` + string(response.Output[1]) + `,{"role":"user","content":"And?"}]`
	if answer := server.Post(t, "/v1/responses", `{"model":"house-model","input":`+back+`}`); answer.StatusCode != 200 {
		t.Errorf("%d %s", answer.StatusCode, messagestest.Text(t, answer))
	}
}

func TestThinkingIsSwitchedOff(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.ThinkingTemplate, "<think>\n\n</think>\n\nFine."))
	for _, more := range []string{`"reasoning_effort":"none"`, `"reasoning_effort":"minimal"`, `"chat_template_kwargs":{"enable_thinking":false}`} {
		whole := messagestest.Text(t, server.Post(t, "/v1/chat/completions", `{"model":"house-model",`+more+`,"messages":[{"role":"user","content":"What?"}]}`))
		if !strings.Contains(whole, `"content":"Fine."`) || !strings.Contains(whole, `"completion_tokens":6`) {
			t.Errorf("%s: %s", more, whole)
		}
	}
}
