package openai_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// mixed is one of many kinds of requests: with forms, tools that must or may be called, penalties, and plain text.
func mixed(i int) (path, body string) {
	how := []string{"temperature", fmt.Sprint(i % 3), "seed", fmt.Sprint(i), "stream", "true", "max_tokens", "60"}
	said := fmt.Sprintf(`[{"role":"user","content":"Question %d."}]`, i)
	switch i % 6 {
	case 0:
		return chatPath, with(append(how, "messages", said, "response_format", person)...)
	case 1:
		return chatPath, with(append(how, "messages", said, "tools", choosable, "tool_choice", `"required"`)...)
	case 2:
		return chatPath, with(append(how, "messages", said, "tools", choosable)...)
	case 3:
		return chatPath, with(append(how, "messages", said, "frequency_penalty", "1.5", "logit_bias", `{"40":3}`)...)
	case 4:
		return textPath, with(append(how, "messages", "", "prompt", fmt.Sprintf(`"Text %d goes on"`, i))...)
	}
	return responsePath, with(append(how, "messages", "", "max_tokens", "", "max_output_tokens", "60", "input", fmt.Sprintf(`"Question %d."`, i), "tools", clientTools)...)
}

// said is what a stream says, however it is cut into pieces.
func said(t *testing.T, raw string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(raw) {
		data, found := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !found || data == "[DONE]" {
			continue
		}
		var piece struct {
			Type    string
			Delta   string // of a response
			Item    struct{ Name string }
			Choices []struct {
				Text   string
				Reason string `json:"finish_reason"`
				Delta  struct {
					Content string
					Calls   []call `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &piece); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		b.WriteString(piece.Delta)
		if piece.Type == "response.output_item.done" || piece.Type == "response.incomplete" {
			fmt.Fprintf(&b, " %s %s;", piece.Type, piece.Item.Name)
		}
		for _, choice := range piece.Choices {
			b.WriteString(choice.Text + choice.Delta.Content + choice.Reason)
			for _, c := range choice.Delta.Calls {
				b.WriteString(c.Function.Name + c.Function.Arguments)
			}
		}
	}
	return b.String()
}

// Many streams of all kinds at once say what each says alone: a form, a penalty or a seed is of its own answer only.
func TestMixedStreamsSayWhatTheySayAlone(t *testing.T) {
	const many = 64
	server := serve(t, messagestest.Setup{Engine: func(c *engine.Config) { c.MaxBatch, c.Budget = 16, 4*c.Budget }}.Saying(t, messagestest.HermesTemplate, babbling))
	ask := func(i int) string {
		path, body := mixed(i)
		answer := server.Post(t, path, body)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", answer.StatusCode, messagestest.Text(t, answer))
		}
		return said(t, messagestest.Text(t, answer))
	}
	alone := make([]string, many)
	for i := range many {
		if alone[i] = ask(i); len(alone[i]) < 20 && i%6 != 4 { // the script has no line for a text without a turn
			t.Fatalf("request %d says %q", i, alone[i])
		}
	}
	var together sync.WaitGroup
	for i := range many {
		together.Go(func() {
			if got := ask(i); got != alone[i] {
				t.Errorf("request %d says %q, alone %q", i, got, alone[i])
			}
		})
	}
	together.Wait()
}
