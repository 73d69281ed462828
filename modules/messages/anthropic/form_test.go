package anthropic_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

const form = `{"type":"json_schema","schema":{"type":"object","properties":{"sure":{"type":"boolean"},"n":{"type":"integer","minimum":1,"maximum":9}},"required":["sure","n"],"additionalProperties":false}}`

// The answer has the form that was asked for, in either of its places, whatever the model would write.
func TestAnswersHaveTheFormThatWasAskedFor(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, "Prose.", "Prose."))
	for _, fields := range [][]string{{"output_config", `{"format":` + form + `}`}, {"output_format", form}} {
		for _, temperature := range []string{"0", "1"} {
			var answer struct {
				Content []struct{ Text string }
				Reason  string `json:"stop_reason"`
			}
			raw := messagestest.Text(t, server.Post(t, "/v1/messages", with(append(fields, "temperature", temperature, "max_tokens", "300")...)))
			if err := json.Unmarshal([]byte(raw), &answer); err != nil || len(answer.Content) != 1 {
				t.Fatalf("%s, %v", raw, err)
			}
			var value map[string]any
			err := json.Unmarshal([]byte(answer.Content[0].Text), &value)
			if n, ok := value["n"].(float64); err != nil || !ok || n < 1 || n > 9 || len(value) != 2 || answer.Reason != "end_turn" {
				t.Errorf("%s, %v", raw, err)
			}
		}
	}
}

// What can't be held to a form is refused by its place.
func TestFormsAreRefusedByPlace(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, "Prose."))
	config := `{"format":` + form + `}`
	for mention, body := range map[string]string{
		"output_config.format.schema.properties.a.pattern": with("output_config", `{"format":{"type":"json_schema","schema":{"properties":{"a":{"pattern":"(?=x)"}}}}}`),
		"output_config.format.type":                        with("output_config", `{"format":{"type":"xml"}}`),
		"output_config.format.schema:":                     with("output_config", `{"format":{"type":"json_schema"}}`),
		"an assistant's turn":                              with("output_config", config, "messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":"{"}]`),
	} {
		answer := server.Post(t, "/v1/messages", body)
		if raw := messagestest.Text(t, answer); answer.StatusCode != http.StatusBadRequest || !strings.Contains(raw, mention) {
			t.Errorf("%d %s, want %s", answer.StatusCode, raw, mention)
		}
	}
}
