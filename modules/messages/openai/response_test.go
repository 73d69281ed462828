package openai_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

const (
	responsePath = "/v1/responses"
	// clientTools are those of a client as Codex is: functions, one that takes a text, and one that servers run.
	clientTools = `[{"type":"function","name":"read","strict":false,"parameters":{"type":"object","properties":{"path":{"type":"string"}}}},
		{"type":"custom","name":"patch","description":"Takes a patch"},{"type":"web_search"},{"type":"function","name":"clock"}]`
	patchCall = "I patch.\n<tool_call>\n{\"name\": \"patch\", \"arguments\": {\"input\": \"*** Begin\\n+é\"}}\n</tool_call>"
)

type outputItem struct {
	Type, ID, Role, Status, Name, Arguments, Input string
	CallID                                         string `json:"call_id"`
	Content                                        []struct{ Type, Text string }
}

type responded struct {
	ID, Object, Status, Model string
	Output                    []outputItem
	Incomplete                *struct{ Reason string } `json:"incomplete_details"`
	Usage                     *struct {
		Input   int `json:"input_tokens"`
		Output  int `json:"output_tokens"`
		Details struct {
			Cached int `json:"cached_tokens"`
		} `json:"input_tokens_details"`
	}
	Error *struct {
		Message string
		Param   *string
	}
}

func respond(t *testing.T, server *messagestest.Server, status int, fields ...string) responded {
	t.Helper()
	answer := server.Post(t, responsePath, with(append([]string{"messages", ""}, fields...)...))
	raw := messagestest.Text(t, answer)
	var r responded
	if err := json.Unmarshal([]byte(raw), &r); err != nil || answer.StatusCode != status {
		t.Fatalf("%d %s, %v", answer.StatusCode, raw, err)
	}
	if status == http.StatusOK {
		messagestest.Described(t, server.Schemas, "Response", raw, true)
	}
	return r
}

func shownItems(items []outputItem) string {
	var b strings.Builder
	for _, item := range items {
		switch item.Type {
		case "message":
			fmt.Fprintf(&b, "%s:%q ", item.Status, item.Content[0].Text)
		case "function_call":
			fmt.Fprintf(&b, "%s(%s) ", item.Name, item.Arguments)
		case "custom_tool_call":
			fmt.Fprintf(&b, "%s<%q> ", item.Name, item.Input)
		}
	}
	return strings.TrimSpace(b.String())
}

// Calls come back as items; with what the tools answered the conversation goes on, and is read and not computed again.
func TestAResponseCallsToolsAndGoesOn(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, twoCalls, "Done."))
	first := respond(t, server, http.StatusOK, "input", `"look"`, "instructions", `"Be brief."`, "tools", clientTools)
	if got := shownItems(first.Output); first.Status != "completed" || got != `completed:"I look." read({"path": "a"}) clock({})` {
		t.Fatalf("%s: %s", first.Status, got)
	}
	read, clock := first.Output[1], first.Output[2]
	back := fmt.Sprintf(`[{"role":"user","content":"look"},
		{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"},
		{"type":"message","role":"assistant","id":%q,"content":[{"type":"output_text","text":"I look.","annotations":[]}]},
		{"type":"function_call","call_id":%q,"name":"read","arguments":"{ \"path\" : \"a\" }"},{"type":"function_call","call_id":%q,"name":"clock","arguments":"{}"},
		{"type":"function_call_output","call_id":%q,"output":"ten"},{"type":"function_call_output","call_id":%q,"output":[{"type":"input_text","text":"text of a"}]}]`,
		first.Output[0].ID, read.CallID, clock.CallID, clock.CallID, read.CallID)
	second := respond(t, server, http.StatusOK, "input", back, "instructions", `"Be brief."`, "tools", clientTools)
	if got := shownItems(second.Output); got != `completed:"Done."` {
		t.Errorf("%s", got)
	}
	if second.Usage.Details.Cached < first.Usage.Input+first.Usage.Output-2 {
		t.Errorf("%d tokens were read of the first turn's %d", second.Usage.Details.Cached, first.Usage.Input+first.Usage.Output)
	}
}

// A tool that takes a text is called with one, and its call is replayed.
func TestACustomToolIsCalledWithAText(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, patchCall, "Done."))
	first := respond(t, server, http.StatusOK, "input", `"patch"`, "tools", clientTools)
	if got := shownItems(first.Output); got != `completed:"I patch." patch<"*** Begin\n+é">` {
		t.Fatalf("%s", got)
	}
	call := first.Output[1]
	back := fmt.Sprintf(`[{"role":"user","content":"patch"},{"role":"assistant","content":"I patch."},{"type":"custom_tool_call","call_id":%q,"name":"patch","input":"*** Begin\n+é"},
		{"type":"custom_tool_call_output","call_id":%q,"output":"patched"}]`, call.CallID, call.CallID)
	second := respond(t, server, http.StatusOK, "input", back, "tools", clientTools)
	if second.Usage.Details.Cached < first.Usage.Input+first.Usage.Output-2 {
		t.Errorf("%d tokens were read of the first turn's %d", second.Usage.Details.Cached, first.Usage.Input+first.Usage.Output)
	}
	forced := respond(t, server, http.StatusOK, "input", `"again"`, "tools", clientTools, "tool_choice", `{"type":"custom","name":"patch"}`, "max_output_tokens", "2000", "parallel_tool_calls", "false")
	if len(forced.Output) != 1 || forced.Output[0].Type != "custom_tool_call" {
		t.Errorf("%s", shownItems(forced.Output))
	}
}

// A stream tells the same as a whole response, in events of the document's types.
func TestAResponseIsStreamed(t *testing.T) {
	for _, said := range []string{twoCalls, patchCall, "Only words."} {
		for _, most := range []string{"1000", "4"} {
			server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, said, said))
			how := []string{"input", `"look"`, "tools", clientTools, "temperature", "0", "max_output_tokens", most}
			whole := respond(t, server, http.StatusOK, how...)
			answer := server.Post(t, responsePath, with(append(how, "messages", "", "stream", "true")...))
			var kinds []string
			var items []outputItem
			var last responded
			texts := map[string]string{}
			for n, event := range slices.Collect(strings.SplitSeq(strings.TrimSpace(messagestest.Text(t, answer)), "\n\n")) {
				_, data, _ := strings.Cut(event, "\ndata: ")
				var e struct {
					Type     string
					Number   int    `json:"sequence_number"`
					ID       string `json:"item_id"`
					Delta    string
					Item     outputItem
					Response responded
				}
				if err := json.Unmarshal([]byte(data), &e); err != nil || e.Number != n || !strings.HasPrefix(event, "event: "+e.Type+"\n") {
					t.Fatalf("%q: %v", event, err)
				}
				messagestest.Described(t, server.Schemas, "ResponseStreamEvent", data, true)
				kinds, last = append(kinds, e.Type), e.Response
				texts[e.ID] += e.Delta
				if e.Type == "response.output_item.done" {
					items = append(items, e.Item)
				}
			}
			if kinds[0] != "response.created" || kinds[len(kinds)-1] != "response."+whole.Status || last.Usage == nil || last.Usage.Output != whole.Usage.Output {
				t.Errorf("%q: %v, %+v", said, kinds, last)
			}
			if a, b := shownItems(last.Output), strings.ReplaceAll(shownItems(whole.Output), "incomplete:", "completed:"); a != b || shownItems(items) != a {
				t.Errorf("%q: streamed %s and %s, whole %s", said, shownItems(items), a, b)
			}
			for _, item := range items {
				if grown := texts[item.ID]; item.Type == "function_call" && grown != item.Arguments || item.Type == "custom_tool_call" && grown != item.Input ||
					item.Type == "message" && grown != item.Content[0].Text {
					t.Errorf("%+v grew by %q", item, grown)
				}
			}
			if isCut := most == "4"; isCut != (whole.Status == "incomplete") || isCut && whole.Incomplete.Reason != "max_output_tokens" {
				t.Errorf("%+v", whole)
			}
		}
	}
}

// A key that can't name an agent is no error: it is a hint.
func TestACacheKeyIsAHint(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, "Well."))
	for _, key := range []string{`"01a21a13-cf47"`, `""`, `"` + strings.Repeat("x", 300) + `"`, `"a\u0000b"`} {
		if got := respond(t, server, http.StatusOK, "input", `"hi"`, "prompt_cache_key", key); got.Status != "completed" {
			t.Errorf("%s: %+v", key, got)
		}
	}
}

// The answer has the form that was asked for.
func TestAResponseHasTheFormThatWasAskedFor(t *testing.T) {
	server := babbler(t)
	format := `{"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":9}},"required":["n"],"additionalProperties":false}}}`
	got := respond(t, server, http.StatusOK, "input", `"hi"`, "text", format, "max_output_tokens", "300")
	var value struct{ N int }
	if err := json.Unmarshal([]byte(got.Output[0].Content[0].Text), &value); err != nil || value.N < 1 || value.N > 9 {
		t.Errorf("%s: %v", shownItems(got.Output), err)
	}
}

// What can't be is refused by its place.
func TestResponsesAreRefusedByPlace(t *testing.T) {
	server := babbler(t)
	for param, fields := range map[string][]string{
		"input":                {},
		"previous_response_id": {"input", `"a"`, "previous_response_id", `"resp_1"`},
		"background":           {"input", `"a"`, "background", "true"},
		"conversation":         {"input", `"a"`, "conversation", `"conv_1"`},
		"top_logprobs":         {"input", `"a"`, "top_logprobs", "2"},
		"max_output_tokens":    {"input", `"a"`, "max_output_tokens", "0"},
		"input.0.role":         {"input", `[{"content":"a"}]`},
		"input.0.type":         {"input", `[{"type":"web_search_call"}]`},
		"input.0":              {"input", `[{"type":"item_reference","id":"x"}]`},
		"input.0.content.0":    {"input", `[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]`},
		"input.0.call_id":      {"input", `[{"type":"function_call_output","call_id":"x","output":"y"}]`},
		"input.0.arguments":    {"input", `[{"type":"function_call","call_id":"x","name":"f","arguments":"["}]`},
		"input.0.name":         {"input", `[{"type":"function_call","call_id":"x","arguments":"{}"}]`},
		"tools.0.name":         {"input", `"a"`, "tools", `[{"type":"function","name":"a b"}]`},
		"tool_choice":          {"input", `"a"`, "tools", clientTools, "tool_choice", `{"type":"function","name":"web_search"}`},
		"text.format.type":     {"input", `"a"`, "text", `{"format":{"type":"xml"}}`},
	} {
		if got := respond(t, server, http.StatusBadRequest, fields...); got.Error == nil || got.Error.Param == nil || *got.Error.Param != param {
			t.Errorf("%s: %+v", param, got.Error)
		}
	}
}
