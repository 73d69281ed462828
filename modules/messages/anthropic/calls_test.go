package anthropic_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// Templates in the form of the families' own.
const (
	hermesTemplate = messagestest.HermesTemplate
	llamaTemplate  = `{% if tools %}<|im_start|>system
Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.{% for t in tools %}{{ t | tojson }}{% endfor %}<|im_end|>
{% endif %}{% for m in messages %}{% if m.tool_calls %}<|im_start|>assistant
{"name": "{{ m.tool_calls[0].function.name }}", "parameters": {{ m.tool_calls[0].function.arguments | tojson }}}<|im_end|>
{% else %}<|im_start|>{{ 'ipython' if m.role == 'tool' else m.role }}
{{ m.content | trim }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`
	mistralTemplate = `{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}{% endif %}{% for m in messages %}{% if m.tool_calls %}<|im_start|>assistant
[TOOL_CALLS][{% for c in m.tool_calls %}{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, "id": "{{ c.id }}"}{% endfor %}]<|im_end|>
{% elif m.role == 'tool' %}{% if m.tool_call_id | length != 9 %}{{ raise_exception('ids have 9 characters') }}{% endif %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]{% else %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`
	plainTemplate = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`
)

const someTools = `[{"name":"read","description":"Reads a file","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}},
	{"name":"clock","input_schema":{"type":"object"}}]`

// called is an answer with calls.
type called struct {
	Content []struct {
		Type, Text, ID, Name string
		Input                json.RawMessage
	}
	StopReason string `json:"stop_reason"`
	Usage      struct {
		Input    int `json:"input_tokens"`
		Creation int `json:"cache_creation_input_tokens"`
		Read     int `json:"cache_read_input_tokens"`
		Output   int `json:"output_tokens"`
	}
}

// shown writes an answer in a line.
func (c called) shown() string {
	var b strings.Builder
	for _, block := range c.Content {
		if block.Type == "text" {
			fmt.Fprintf(&b, "%q ", block.Text)
		} else {
			fmt.Fprintf(&b, "%s(%s) ", block.Name, block.Input)
		}
	}
	return b.String() + c.StopReason
}

func call(t *testing.T, server *server, fields ...string) (c called) {
	t.Helper()
	raw := text(t, post(t, server, "/v1/messages", with(append([]string{"tools", someTools, "max_tokens", "1000", "temperature", "0"}, fields...)...)))
	if err := json.Unmarshal([]byte(raw), &c); err != nil || c.StopReason == "" {
		t.Fatalf("%s: %v", raw, err)
	}
	return c
}

func TestCallsAreBlocks(t *testing.T) {
	hermes := "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>"
	for _, c := range []struct{ template, answer, want string }{
		{hermesTemplate, hermes, `read({"path":"a"}) tool_use`},
		{hermesTemplate, "I look.\n" + hermes + "\n<tool_call>{\"name\":\"clock\",\"arguments\":{}}</tool_call>", `"I look." read({"path":"a"}) clock({}) tool_use`},
		{hermesTemplate, hermes + " That is it.", `read({"path":"a"}) " That is it." tool_use`},
		{hermesTemplate, "No call.", `"No call." end_turn`},
		{hermesTemplate, `<tool_call>{"name":"delete","arguments":{}}</tool_call>`, `"<tool_call>{\"name\":\"delete\",\"arguments\":{}}</tool_call>" end_turn`},
		{llamaTemplate, `{"name": "read", "parameters": {"path": "a"}}`, `read({"path":"a"}) tool_use`},
		{llamaTemplate, `<|python_tag|>{"name": "clock", "parameters": {}}`, `clock({}) tool_use`},
		{mistralTemplate, `[TOOL_CALLS][{"name": "read", "arguments": {"path": "a"}}]`, `read({"path":"a"}) tool_use`},
		{mistralTemplate, `[TOOL_CALLS]clock{}`, `clock({}) tool_use`},
		{plainTemplate, "Sure:\n```json\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n```", `"Sure:" read({"path":"a"}) tool_use`},
		{plainTemplate, `{"name": "Ada"}`, `"{\"name\": \"Ada\"}" end_turn`},
	} {
		server := saying(t, c.template, c.answer)
		if got := call(t, server).shown(); got != c.want {
			t.Errorf("%q is %s, want %s", c.answer, got, c.want)
		}
		if got := streamedCall(t, server).shown(); got != c.want {
			t.Errorf("%q streamed is %s, want %s", c.answer, got, c.want)
		}
	}
}

// streamedCall puts the events of a stream together as clients do.
func streamedCall(t *testing.T, server *server, fields ...string) (c called) {
	t.Helper()
	body := with(append([]string{"tools", someTools, "max_tokens", "1000", "temperature", "0", "stream", "true"}, fields...)...)
	for _, line := range strings.Split(text(t, post(t, server, "/v1/messages", body)), "\n") {
		data, found := strings.CutPrefix(line, "data: ")
		if !found {
			continue
		}
		var e struct {
			Type  string
			Index int
			Block struct {
				Type, Text, ID, Name string
				Input                json.RawMessage
			} `json:"content_block"`
			Delta struct {
				Type, Text  string
				PartialJSON string  `json:"partial_json"`
				StopReason  *string `json:"stop_reason"`
			}
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		switch e.Type {
		case "content_block_start":
			if e.Index != len(c.Content) || e.Block.Type == "tool_use" && string(e.Block.Input) != "{}" {
				t.Errorf("%s", data)
			}
			c.Content = append(c.Content, e.Block)
			c.Content[e.Index].Input = nil
		case "content_block_delta":
			block := &c.Content[e.Index]
			if (e.Delta.Type == "text_delta") != (block.Type == "text") {
				t.Errorf("%s in a block of %s", data, block.Type)
			}
			block.Text += e.Delta.Text
			block.Input = append(block.Input, e.Delta.PartialJSON...)
		case "message_delta":
			c.StopReason = *e.Delta.StopReason
		}
	}
	for i, block := range c.Content {
		if block.Type == "tool_use" {
			c.Content[i].Input = compact(t, block.Input)
		}
	}
	return c
}

func compact(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	out, err := json.Marshal(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return out
}

// A client that wants one call at a time gets one. If there was only one it is read when it comes back; if others were left
// out, the turn is what the client saw.
func TestOneCallAtATime(t *testing.T) {
	one := "I look.\n<tool_call>\n{\"name\": \"read\",  \"arguments\": {}}\n</tool_call>"
	for _, more := range []string{"", "\n<tool_call>{\"name\":\"clock\",\"arguments\":{}}</tool_call>", " And more."} {
		server := saying(t, hermesTemplate, one+more, "Done.")
		choice := []string{"tool_choice", `{"type":"auto","disable_parallel_tool_use":true}`}
		first := call(t, server, choice...)
		streamed := streamedCall(t, server, choice...)
		if want := `"I look." read({}) tool_use`; first.shown() != want || streamed.shown() != want {
			t.Errorf("%q: %s, and %s", more, first.shown(), streamed.shown())
		}
		second := call(t, server, "messages", back(first, "{}", false))
		if whole := second.Usage.Read >= first.Usage.Input+first.Usage.Output-1; whole != (more == "") {
			t.Errorf("%q: %d tokens were read, of %d", more, second.Usage.Read, first.Usage.Input+first.Usage.Output-1)
		}
	}
}

// A call that max_tokens cuts is none: what there is of it is told as the text that it is.
func TestHalfACallIsToldHonestly(t *testing.T) {
	answer := `I look. <tool_call>{"name":"read","arguments":{"path":"a"}}</tool_call>`
	server := saying(t, hermesTemplate, answer)
	for _, most := range []int{20, 30, 40} {
		for _, got := range []called{
			call(t, server, "max_tokens", fmt.Sprint(most)), streamedCall(t, server, "max_tokens", fmt.Sprint(most)),
		} {
			if got.StopReason != "max_tokens" || len(got.Content) != 1 || !strings.HasPrefix(answer, got.Content[0].Text) || len(got.Content[0].Text) < most {
				t.Errorf("%d tokens are %s", most, got.shown())
			}
		}
	}
}

// The next turn reads what was sampled, however the client writes the arguments; what says something else is computed.
func TestTheTextOfACallIsReadWhenItComesBack(t *testing.T) {
	for name, c := range map[string]struct{ template, first string }{
		"hermes":  {hermesTemplate, "I look.\n<tool_call>\n{\"arguments\": {\"path\": \"a\",  \"n\": 1.0, \"deep\": {\"y\": [1, 2], \"x\": null}}, \"name\": \"read\"}\n</tool_call>"},
		"llama":   {llamaTemplate, `{"name":"read","parameters":{"path":"a",  "n":1.0,"deep":{"y":[1,2],"x":null}}}`},
		"tagged":  {llamaTemplate, `<|python_tag|>{"name":"read","parameters":{"path":"a",  "n":1.0,"deep":{"y":[1,2],"x":null}}}`},
		"mistral": {mistralTemplate, `[TOOL_CALLS] [{"name": "read", "arguments": {"path": "a",  "n": 1.0, "deep": {"y": [1, 2], "x": null}}}]`},
		"plain":   {plainTemplate, "I look.\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\",  \"n\": 1.0, \"deep\": {\"y\": [1, 2], \"x\": null}}}"},
	} {
		t.Run(name, func(t *testing.T) {
			server := saying(t, c.template, c.first, "It is there.")
			first := call(t, server)
			if first.StopReason != "tool_use" {
				t.Fatal(first.shown())
			}
			known := first.Usage.Input + first.Usage.Output - 1 // the end's KV is not computed
			reordered := back(first, `{"deep":{"x":null,"y":[1,2]},"n":1,"path":"a"}`, false)
			for _, turns := range []string{reordered, back(first, string(first.Content[len(first.Content)-1].Input), true)} {
				second := call(t, server, "messages", turns)
				if second.shown() != `"It is there." end_turn` {
					t.Error(second.shown())
				}
				if second.Usage.Read < known {
					t.Errorf("%d tokens were read, of %d", second.Usage.Read, known)
				}
			}
			other := call(t, server, "messages", back(first, `{"deep":{"x":null,"y":[2,1]},"n":1,"path":"a"}`, false))
			if other.Usage.Read >= known {
				t.Errorf("other arguments: %d tokens were read, of %d", other.Usage.Read, known)
			}
		})
	}
}

// back are the turns by which a client gives a call's result, with the call's arguments as it writes them.
func back(first called, input string, failed bool) string {
	var blocks []string
	for _, block := range first.Content {
		if block.Type == "text" {
			blocks = append(blocks, fmt.Sprintf(`{"type":"text","text":%q}`, block.Text))
		} else {
			blocks = append(blocks, fmt.Sprintf(`{"name":%q,"input":%s,"type":"tool_use","id":%q}`, block.Name, input, block.ID))
		}
	}
	id := first.Content[len(first.Content)-1].ID
	return fmt.Sprintf(`[{"role":"user","content":"hi"},{"role":"assistant","content":[%s]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":%q,"is_error":%v,"content":"text"}]}]`, strings.Join(blocks, ","), id, failed)
}

// An answer that goes on with the client's words is read as their continuation.
func TestACallBehindAPrefill(t *testing.T) {
	object := `{"name": "read", "arguments": {}}`
	server := saying(t, plainTemplate, "It is "+object)
	prefilled := func(text string) string {
		return call(t, server, "messages", fmt.Sprintf(`[{"role":"user","content":"hi"},{"role":"assistant","content":%q}]`, text)).shown()
	}
	if got, want := prefilled("It is"), fmt.Sprintf("%q end_turn", " "+object); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := prefilled("It"); got != fmt.Sprintf("%q end_turn", " is "+object) {
		t.Error(got)
	}
}

// Without tools nothing is taken for a call, and no mark is shown.
func TestWithoutToolsACallIsText(t *testing.T) {
	for template, answer := range map[string]string{hermesTemplate: `<tool_call>{"name":"read","arguments":{}}</tool_call>`, plainTemplate: `{"name":"read","arguments":{}}`} {
		server := saying(t, template, answer)
		for _, fields := range [][]string{{"tools", ""}, {"tool_choice", `{"type":"none"}`}} {
			if got, want := call(t, server, fields...).shown(), fmt.Sprintf("%q end_turn", answer); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
}

func TestBlocksOfAToolsResultKeepApart(t *testing.T) {
	server := serve(t, setup{})
	count := func(result string) string {
		return text(t, post(t, server, "/v1/messages/count_tokens", with("max_tokens", "", "messages", `[{"role":"user","content":"hi"},
			{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":`+result+`}]}]`)))
	}
	parts, whole := count(`[{"type":"text","text":"one"},{"type":"text","text":"two"}]`), count(`"one\ntwo"`)
	if parts != whole {
		t.Errorf("two blocks are %s, with a line end between them %s", parts, whole)
	}
}
