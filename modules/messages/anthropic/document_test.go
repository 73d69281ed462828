package anthropic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// described checks that a text is what the document says of a schema.
func described(t *testing.T, schemas huma.Registry, name, text string) {
	t.Helper()
	schema := schemas.Map()[name]
	if schema == nil {
		t.Fatalf("the document has no %s", name)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	result := &huma.ValidateResult{}
	huma.Validate(schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
	if len(result.Errors) > 0 {
		t.Errorf("%s is no %s: %v", text, name, result.Errors)
	}
}

// What is sent is what the document says, by name: messages, all events of streams, errors; and so is a request that gives
// a tool's result.
func TestTheDocumentTellsWhatIsSent(t *testing.T) {
	answer := "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>"
	server := saying(t, hermesTemplate, answer, "Done.")
	first := text(t, post(t, server, "/v1/messages", with("tools", someTools, "max_tokens", "1000")))
	described(t, server.schemas, "Message", first)
	var seen []string
	for _, line := range strings.Split(text(t, post(t, server, "/v1/messages", with("tools", someTools, "max_tokens", "1000", "stream", "true"))), "\n") {
		if data, found := strings.CutPrefix(line, "data: "); found {
			described(t, server.schemas, "StreamEvent", data)
			var event struct{ Type string }
			_ = json.Unmarshal([]byte(data), &event)
			seen = append(seen, event.Type)
		}
	}
	if got := strings.Join(seen, " "); !strings.HasPrefix(got, "message_start ping content_block_start content_block_delta") || !strings.HasSuffix(got, "message_delta message_stop") {
		t.Errorf("the events are %s", got)
	}
	var a called
	if err := json.Unmarshal([]byte(first), &a); err != nil {
		t.Fatal(err)
	}
	request := with("tools", someTools, "messages", back(a, `{"path":"a"}`, true), "system", `[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]`,
		"tool_choice", `{"type":"auto"}`, "metadata", `{"user_id":"me"}`)
	described(t, server.schemas, "MessageRequest", request)
	described(t, server.schemas, "Message", text(t, post(t, server, "/v1/messages", request)))
	described(t, server.schemas, "Counted", text(t, post(t, server, "/v1/messages/count_tokens", with())))
	for _, bad := range []string{with("model", `"other"`), with("max_tokens", "-1"), "{"} {
		described(t, server.schemas, "MessagesError", text(t, post(t, server, "/v1/messages", bad)))
	}
}

// The schemas tell right from wrong: otherwise the test above would hold for anything.
func TestTheDocumentRefusesWhatIsNotSent(t *testing.T) {
	server := serve(t, setup{})
	for name, wrong := range map[string][]string{
		"StreamEvent": {`{"type":"other"}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}`, `{"type":"ping","more":1}`},
		"AnswerBlock": {`{"type":"tool_use","id":"a","name":"f"}`, `{"type":"tool_use","id":"a","name":"f","input":[]}`, `{"type":"text"}`},
		"MessageRequest": {
			`{"model":"m","messages":[]}`, `{"model":"m","max_tokens":1,"messages":[{"role":"robot","content":"x"}]}`,
			`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}`,
			`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]}`,
		},
	} {
		for _, text := range wrong {
			var value any
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
			result := &huma.ValidateResult{}
			huma.Validate(server.schemas, server.schemas.Map()[name], huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
			if len(result.Errors) == 0 {
				t.Errorf("%s is taken for a %s", text, name)
			}
		}
	}
}
