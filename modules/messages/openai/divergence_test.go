package openai_test

import (
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// In each form of OpenAI's API the part that changed is named by its place there.
func TestTheFirstPartThatChangedIsNamed(t *testing.T) {
	const (
		chat = `{"model":"house-model","messages":[{"role":"system","content":"You are S0"},{"role":"user","content":[{"type":"text","text":"Question Q0"}]},` +
			`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"read","arguments":"{\"path\":\"F0\"}"}}]},` +
			`{"role":"tool","tool_call_id":"c1","content":"Result X0"}NEXT],` +
			`"tools":[{"type":"function","function":{"name":"read","description":"Reads R0","parameters":{"type":"object","properties":{"P0":{}}}}}]}`
		chatNext  = `,{"role":"assistant","content":"Fine."},{"role":"user","content":"Go on"}`
		responses = `{"model":"house-model","instructions":"You are S0","input":[{"role":"user","content":"Question Q0"},` +
			`{"type":"function_call","call_id":"c1","name":"read","arguments":"{\"path\":\"F0\"}"},{"type":"function_call_output","call_id":"c1","output":"Result X0"}NEXT],` +
			`"tools":[{"type":"function","name":"read","description":"Reads R0","parameters":{"type":"object","properties":{"P0":{}}}}]}`
		responsesNext = `,{"role":"assistant","content":[{"type":"output_text","text":"Fine."}]},{"role":"user","content":"Go on"}`
	)
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, "one", "Fine.", "Done."))
	for i, test := range []struct{ path, body, next, old, told string }{
		{"/v1/chat/completions", chat, chatNext, "S0", "messages[0].content; changed"},
		{"/v1/chat/completions", chat, chatNext, "Q0", "messages[1].content[0]; changed"},
		{"/v1/chat/completions", chat, chatNext, "F0", "messages[2].tool_calls[0]; changed"},
		{"/v1/chat/completions", chat, chatNext, "X0", "messages[3].content; changed"},
		{"/v1/chat/completions", chat, chatNext, "Fine", "messages[4].content; changed"},
		{"/v1/chat/completions", chat, chatNext, "Reads R0", "tools[0].function.description; changed"},
		{"/v1/chat/completions", chat, chatNext, "P0", "tools[0].function.parameters; changed"},
		{"/v1/chat/completions", chat, chatNext, "c1", ""},
		{"/v1/responses", responses, responsesNext, "S0", "instructions; changed"},
		{"/v1/responses", responses, responsesNext, "Q0", "input[0].content; changed"},
		{"/v1/responses", responses, responsesNext, "F0", "input[1]; changed"},
		{"/v1/responses", responses, responsesNext, "X0", "input[2].output; changed"},
		{"/v1/responses", responses, responsesNext, "P0", "tools[0].parameters; changed"},
		{"/v1/responses", responses, responsesNext, "Go on", ""},
	} {
		agent := string(rune('a' + i))
		first := server.Post(t, test.path, strings.Replace(test.body, "NEXT", "", 1), "X-Agent-Id", agent)
		if text := messagestest.Text(t, first); first.Header.Get(messages.DivergenceHeader) != "" || !strings.Contains(text, "Fine.") {
			t.Fatalf("%d %s", first.StatusCode, text)
		}
		next := strings.ReplaceAll(strings.Replace(test.body, "NEXT", test.next, 1), test.old, "other")
		answer := server.Post(t, test.path, next, "X-Agent-Id", agent)
		if told := answer.Header.Get(messages.DivergenceHeader); told != test.told {
			t.Errorf("%s, %s: %d %q, want %q", test.path, test.old, answer.StatusCode, told, test.told)
		}
	}
}
