package anthropic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// What is sent is what the document says, by name: messages, all events of streams, errors; and so is a request that gives
// a tool's result.
func TestTheDocumentTellsWhatIsSent(t *testing.T) {
	answer := "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>"
	server := saying(t, hermesTemplate, answer, "Done.")
	first := text(t, post(t, server, "/v1/messages", with("tools", someTools, "max_tokens", "1000")))
	messagestest.Described(t, server.Schemas, "Message", first, true)
	var seen []string
	for _, line := range strings.Split(text(t, post(t, server, "/v1/messages", with("tools", someTools, "max_tokens", "1000", "stream", "true"))), "\n") {
		if data, found := strings.CutPrefix(line, "data: "); found {
			messagestest.Described(t, server.Schemas, "StreamEvent", data, true)
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
	messagestest.Described(t, server.Schemas, "MessageRequest", request, true)
	messagestest.Described(t, server.Schemas, "Message", text(t, post(t, server, "/v1/messages", request)), true)
	messagestest.Described(t, server.Schemas, "Counted", text(t, post(t, server, "/v1/messages/count_tokens", with())), true)
	for _, bad := range []string{with("model", `"other"`), with("max_tokens", "-1"), "{"} {
		messagestest.Described(t, server.Schemas, "MessagesError", text(t, post(t, server, "/v1/messages", bad)), true)
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
			messagestest.Described(t, server.Schemas, name, text, false)
		}
	}
}
