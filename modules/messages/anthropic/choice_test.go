package anthropic_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

const choosable = `[{"name":"read","input_schema":{"type":"object","properties":{"path":{"enum":["a.txt","b.txt"]},"lines":{"type":"integer","minimum":1,"maximum":99}},"required":["path"],"additionalProperties":false}},
	{"name":"clock","input_schema":{"type":"object","properties":{},"additionalProperties":false}}]`

// checkCalls checks that an answer is calls and nothing else, with arguments that their schemas allow.
func checkCalls(t *testing.T, what string, answer called, names ...string) {
	t.Helper()
	if answer.StopReason != "tool_use" || len(answer.Content) == 0 {
		t.Fatalf("%s: %s", what, answer.shown())
	}
	for _, block := range answer.Content {
		var input struct {
			Path  *string
			Lines *int
		}
		d := json.NewDecoder(strings.NewReader(string(block.Input)))
		d.DisallowUnknownFields()
		if err := d.Decode(&input); err != nil || !strings.Contains(strings.Join(names, " "), block.Name) || block.Name == "" {
			t.Errorf("%s: %s: %v", what, answer.shown(), err)
		}
		if isRead := block.Name == "read"; isRead != (input.Path != nil) || isRead && *input.Path != "a.txt" && *input.Path != "b.txt" {
			t.Errorf("%s: %s", what, answer.shown())
		}
		if input.Lines != nil && (*input.Lines < 1 || *input.Lines > 99) {
			t.Errorf("%s: %s", what, answer.shown())
		}
	}
}

// A tool is called where the client says so, in the model's own way to write calls, whatever the model would write.
func TestAToolIsCalledWhereItMustBe(t *testing.T) {
	for name, template := range map[string]string{"hermes": hermesTemplate, "llama": llamaTemplate, "mistral": mistralTemplate, "plain": plainTemplate} {
		server := saying(t, template, "Prose that calls nothing.", strings.Repeat("Prose. ", 3))
		for _, temperature := range []string{"0", "1"} {
			how := []string{"tools", choosable, "temperature", temperature, "seed", "4", "max_tokens", "3000"}
			what := name + " at " + temperature
			checkCalls(t, what, call(t, server, append(how, "tool_choice", `{"type":"any"}`)...), "read", "clock")
			checkCalls(t, what, call(t, server, append(how, "tool_choice", `{"type":"tool","name":"clock"}`)...), "clock")
			one := call(t, server, append(how, "tool_choice", `{"type":"tool","name":"read","disable_parallel_tool_use":true}`)...)
			if checkCalls(t, what, one, "read"); len(one.Content) != 1 {
				t.Errorf("%s: %s", what, one.shown())
			}
		}
	}
}

// A forced call comes back as one that the model chose does: the next turn is read.
func TestAForcedCallIsReplayed(t *testing.T) {
	server := saying(t, hermesTemplate, "Prose.", "Done.")
	first := call(t, server, "tools", choosable, "tool_choice", `{"type":"tool","name":"clock","disable_parallel_tool_use":true}`)
	checkCalls(t, "first", first, "clock")
	block := first.Content[0]
	second := call(t, server, "tools", choosable, "messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"`+block.ID+`","name":"clock","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"`+block.ID+`","content":"ten"}]}]`)
	if whole := first.Usage.Input + first.Usage.Creation + first.Usage.Read + first.Usage.Output; second.Usage.Read < whole-2 {
		t.Errorf("%d of %d tokens were read", second.Usage.Read, whole)
	}
}

// The arguments of a strict tool are held to its schema when the model calls it of its own accord, and text stays text.
func TestCallsOfStrictToolsAreHeldToTheirSchemas(t *testing.T) {
	strict := strings.Replace(choosable, `"name":"read"`, `"name":"read","strict":true`, 1)
	wrong := "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"file\": \"/etc/passwd\", \"lines\": 1000}}\n</tool_call>"
	held := call(t, saying(t, hermesTemplate, wrong), "tools", strict)
	if len(held.Content) < 2 || held.Content[0].Text != "I look." {
		t.Fatalf("%s", held.shown())
	}
	held.Content = held.Content[1:]
	checkCalls(t, "strict", held, "read", "clock")
	for _, text := range []string{"No <call> at all.", "1 < 2, <tool>."} {
		if got, want := call(t, saying(t, hermesTemplate, text), "tools", strict), fmt.Sprintf("%q end_turn", text); got.shown() != want {
			t.Errorf("%s, want %s", got.shown(), want)
		}
	}
}

// With tools and a form the answer is a call or has the form.
func TestAnAnswerWithAFormMayCallATool(t *testing.T) {
	format := []string{"tools", choosable, "output_config", `{"format":` + form + `}`}
	checkCalls(t, "a call", call(t, saying(t, hermesTemplate, "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>"), format...), "read", "clock")
	got := call(t, saying(t, hermesTemplate, "Prose."), format...)
	var value struct{ N int }
	if err := json.Unmarshal([]byte(got.Content[0].Text), &value); err != nil || value.N < 1 || got.StopReason != "end_turn" {
		t.Errorf("%s: %v", got.shown(), err)
	}
}

// What of a tool's schema can't be held to is left open, but refused where the client calls it strict.
func TestAChoiceIsRefusedByItsPlace(t *testing.T) {
	server := serve(t, messagestest.Setup{}.Saying(t, messagestest.HermesTemplate, "Prose."))
	open := `[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"string","pattern":"^x","format":"uri","maxLength":5}},"required":["a"],"additionalProperties":false}}]`
	var answer called
	raw := messagestest.Text(t, server.Post(t, "/v1/messages", with("tools", open, "tool_choice", `{"type":"any"}`, "max_tokens", "1000", "temperature", "0")))
	if err := json.Unmarshal([]byte(raw), &answer); err != nil || len(answer.Content) == 0 || !strings.Contains(string(answer.Content[0].Input), `"a":`) {
		t.Errorf("%s: %v", raw, err)
	}
	for mention, body := range map[string]string{
		"tools.0.input_schema.properties.a.format": with("tools", strings.Replace(open, `"name"`, `"strict":true,"name"`, 1)),
		"tool_choice: there are no tools":          with("tool_choice", `{"type":"any"}`),
		"is none of the tools":                     with("tools", open, "tool_choice", `{"type":"tool","name":"g"}`),
		"tool_choice.type":                         with("tools", open, "tool_choice", `{"type":"must"}`),
		"tool_choice: an answer with a form":       with("tools", open, "tool_choice", `{"type":"any"}`, "messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":"Well"}]`),
	} {
		refused := server.Post(t, "/v1/messages", body)
		if raw := messagestest.Text(t, refused); refused.StatusCode != http.StatusBadRequest || !strings.Contains(raw, mention) {
			t.Errorf("%d %s, want %s", refused.StatusCode, raw, mention)
		}
	}
}
