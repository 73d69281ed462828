package openai_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

const (
	someTools = `[{"type":"function","function":{"name":"read","description":"Reads a file","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}},
		{"type":"function","function":{"name":"clock"}}]`
	twoCalls = "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>"
)

// Calls come back as blocks, streamed or not; with what the tools answered the conversation goes on, and is read and not
// computed again.
func TestToolsAreCalledAndAnswered(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, twoCalls, "Done.", twoCalls))
	first := parse(t, server.Post(t, chatPath, with("tools", someTools)), http.StatusOK)
	choice := first.Choices[0]
	if *choice.FinishReason != "tool_calls" || *choice.Message.Content != "I look." || len(choice.Message.ToolCalls) != 2 {
		t.Fatalf("%+v", choice)
	}
	read, clock := choice.Message.ToolCalls[0], choice.Message.ToolCalls[1]
	if read.Type != "function" || read.Function.Name != "read" || read.Function.Arguments != `{"path": "a"}` ||
		clock.Function.Name != "clock" || clock.Function.Arguments != "{}" || read.ID == clock.ID || !strings.HasPrefix(read.ID, "call_") {
		t.Errorf("%+v %+v", read, clock)
	}
	back := fmt.Sprintf(`[{"role":"user","content":"hi"},{"role":"assistant","content":"I look.","tool_calls":[
		{"id":%q,"type":"function","function":{"name":"read","arguments":"{ \"path\" : \"a\" }"}},
		{"id":%q,"type":"function","function":{"name":"clock","arguments":""}}]},
		{"role":"tool","tool_call_id":%q,"content":"ten"},{"role":"tool","tool_call_id":%q,"content":[{"type":"text","text":"text of a"}]}]`,
		read.ID, clock.ID, clock.ID, read.ID)
	second := parse(t, server.Post(t, chatPath, with("tools", someTools, "messages", back)), http.StatusOK)
	if got := second.Choices[0]; *got.Message.Content != "Done." || *got.FinishReason != "stop" || got.Message.ToolCalls != nil {
		t.Errorf("%+v", got)
	}
	if u := second.Usage; u.Details.Cached < first.Usage.Prompt+first.Usage.Completion-2 {
		t.Errorf("%d tokens were read of the first turn's %d", u.Details.Cached, first.Usage.Total)
	}
	pieces, _ := streamed(t, server.Post(t, chatPath, with("tools", someTools, "stream", "true", "messages", `[{"role":"user","content":"again"}]`)))
	var joined []call
	for _, piece := range pieces {
		for _, part := range piece.Choices[0].Delta.ToolCalls {
			if part.Index == len(joined) {
				joined = append(joined, part)
				continue
			}
			joined[part.Index].Function.Arguments += part.Function.Arguments
		}
	}
	if len(joined) != 2 || joined[0].Function != read.Function || joined[1].Function != clock.Function || joined[0].ID == "" || joined[1].Type != "function" {
		t.Errorf("%+v", joined)
	}
}
