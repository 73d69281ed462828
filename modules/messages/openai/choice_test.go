package openai_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

const choosable = `[{"type":"function","function":{"name":"read","strict":true,"parameters":{"type":"object","properties":{"line":{"type":"integer","minimum":1,"maximum":99}},"required":["line"],"additionalProperties":false}}},
	{"type":"function","function":{"name":"clock"}}]`

// A tool is called where the client says so, and which one.
func TestAToolIsCalledWhereItMustBe(t *testing.T) {
	server := babbler(t)
	for choice, names := range map[string][]string{
		`"required"`: {"read", "clock"},
		`{"type":"function","function":{"name":"read"}}`:                                                                        {"read"},
		`{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"read"}}]}}`: {"read"},
	} {
		for _, temperature := range []string{"0", "1"} {
			body := with("tools", choosable, "tool_choice", choice, "temperature", temperature, "seed", "3", "max_tokens", "2000", "parallel_tool_calls", "false")
			got := parse(t, server.Post(t, chatPath, body), http.StatusOK).Choices[0]
			if *got.FinishReason != "tool_calls" || got.Message.Content != nil || len(got.Message.ToolCalls) != 1 {
				t.Fatalf("%s: %+v", choice, got)
			}
			function := got.Message.ToolCalls[0].Function
			var arguments struct{ Line *int }
			err := json.Unmarshal([]byte(function.Arguments), &arguments)
			if function.Name == "read" && (err != nil || arguments.Line == nil || *arguments.Line < 1 || *arguments.Line > 99) ||
				function.Name != names[0] && function.Name != names[len(names)-1] {
				t.Errorf("%s: %+v, %v", choice, function, err)
			}
		}
	}
}

// A choice among tools that there are none of is refused.
func TestAChoiceIsRefusedByItsPlace(t *testing.T) {
	server := babbler(t)
	for _, fields := range [][]string{
		{"tool_choice", `"required"`},
		{"tools", choosable, "tool_choice", `"must"`},
		{"tools", choosable, "tool_choice", `{"type":"function","function":{"name":"write"}}`},
		{"tools", choosable, "tool_choice", `{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[]}}`},
	} {
		got := parse(t, server.Post(t, chatPath, with(fields...)), http.StatusBadRequest)
		if got.Error == nil || got.Error.Param == nil || *got.Error.Param != "tool_choice" {
			t.Errorf("%v: %+v", fields, got.Error)
		}
	}
	gemma := serve(t, messagestest.Setup{}.Saying(t, `{% if tools %}<|tool_call>{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}`, "Prose."))
	got := parse(t, gemma.Post(t, chatPath, with("tools", choosable, "tool_choice", `"required"`)), http.StatusBadRequest)
	if got.Error == nil || *got.Error.Param != "tool_choice" {
		t.Errorf("%+v", got.Error)
	}
}
