package toolcall_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/toolcall"
	"pgregory.net/rapid"
)

func names() []string { return []string{"get_weather", "read", "run-it"} }

// parse feeds text in pieces that end at the given places.
func parse(s toolcall.Syntax, text string, cuts ...int) (pieces []toolcall.Piece) {
	p, from := toolcall.NewParser(s, names()), 0
	for _, cut := range append(cuts, len(text)) {
		pieces = append(pieces, p.Push(text[from:cut])...)
		from = cut
	}
	return append(pieces, p.End()...)
}

// shown writes pieces in a line: texts as they are, calls as ⟦name arguments⟧.
func shown(pieces []toolcall.Piece) string {
	var b strings.Builder
	for _, piece := range pieces {
		if piece.Call == nil {
			b.WriteString(piece.Text)
		} else {
			fmt.Fprintf(&b, "⟦%s %s⟧", piece.Call.Name, piece.Call.Arguments)
		}
	}
	return b.String()
}

type example struct {
	syntax     toolcall.Syntax
	text, want string // want is "" for text that stays as it is
}

// examples are calls in all syntaxes and what looks like them.
func examples() []example {
	h, l, m, p, g, f := toolcall.Hermes, toolcall.LlamaJSON, toolcall.Mistral, toolcall.Plain, toolcall.Gemma, toolcall.FunctionGemma
	return []example{
		{h, "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>", `⟦read {"path": "a"}⟧`},
		{h, "I look.\n<tool_call>{\"name\":\"read\",\"arguments\":{}}</tool_call>\n<tool_call>{\"arguments\":{\"b\":1,\"a\":2},\"name\":\"get_weather\"}</tool_call>\n Done.", "I look.⟦read {}⟧⟦get_weather {\"b\":1,\"a\":2}⟧\n Done."},
		{h, `<tool_call>{"name":"read"}</tool_call>`, `⟦read {}⟧`},
		{h, `<tool_call>{"name":"read","arguments":"{\"path\":1}"}</tool_call>`, `⟦read {"path":1}⟧`},
		{h, `<tool_call>[{"name":"read","arguments":{}},{"name":"run-it","arguments":{}}]</tool_call>`, `⟦read {}⟧⟦run-it {}⟧`},
		{h, `<tool_call>{"name":"read","arguments":{"t":"</tool_call> <tool_call> \" \\"}}</tool_call>`, `⟦read {"t":"</tool_call> <tool_call> \" \\"}⟧`},
		{h, `<tool_call>{"name":"read","arguments":{}} and more`, `⟦read {}⟧ and more`},
		{h, `<tool_call>{"name":"read","arguments":{}}`, `⟦read {}⟧`},
		{h, `<tool_call>{"name":"read","arguments":{"a":`, ""},
		{h, `<tool_call>{"name":"delete","arguments":{}}</tool_call>`, ""},
		{h, `<tool_call>{"name":"read","arguments":[]}</tool_call>`, ""},
		{h, `<tool_call>{"name":"read","arguments":{"a":1,"a":2}}</tool_call>`, ""},
		{h, `<tool_call>{"name":"read","arguments":{a:1}}</tool_call>`, ""},
		{h, `<tool_call>{"name":5,"arguments":{}}</tool_call>`, ""},
		{h, `<tool_call>read</tool_call> <tool_call>{"name":"read","arguments":{}}</tool_call>`, `<tool_call>read</tool_call>⟦read {}⟧`},
		{h, "The tag is <tool_call", ""}, {h, "  ", ""}, {h, " a ", ""}, {h, "", ""},
		{h, `{"name":"read","arguments":{}}`, ""},
		{l, `{"name": "read", "parameters": {"path": "a"}}`, `⟦read {"path": "a"}⟧`},
		{l, "\n {\"type\":\"function\",\"name\":\"read\",\"parameters\":{}}; {\"name\":\"run-it\",\"parameters\":{}}\n", `⟦read {}⟧⟦run-it {}⟧`},
		{l, `{"name":"read","parameters":{}}; but {"name":"read","parameters":{}}`, `⟦read {}⟧; but {"name":"read","parameters":{}}`},
		{l, `<|python_tag|>{"name":"read","parameters":{}}`, `⟦read {}⟧`},
		{l, `<|python_tag|>print(1)`, ""},
		{l, `Hm. <function=read>{"path":"a"}</function>`, `Hm.⟦read {"path":"a"}⟧`},
		{l, `<function=other>{"path":"a"}</function>`, ""}, {l, `<function=re`, ""},
		{l, `It is {"name":"read","parameters":{}}`, ""}, {l, `{"name":"read"}`, ""}, {l, `{"a":1}`, ""},
		{m, `[TOOL_CALLS] [{"name": "read", "arguments": {"a": 1}, "id": "x"}, {"name":"run-it","arguments":{}}]`, `⟦read {"a": 1}⟧⟦run-it {}⟧`},
		{m, `[TOOL_CALLS]read[ARGS]{"a":1}[TOOL_CALLS]run-it{"b":2}`, `⟦read {"a":1}⟧⟦run-it {"b":2}⟧`},
		{m, `[TOOL_CALLS]read[CALL_ID]abc123[ARGS]{"a":1}`, `⟦read {"a":1}⟧`},
		{m, `[TOOL_CALLS] [{"name": "read", "arguments": {}}, {"name":"other","arguments":{}}]`, ""},
		{m, `[TOOL_CALLS]other{"a":1}`, ""}, {m, `[TOOL_CALLS]read me {"a":1}`, ""}, {m, `[TOOL_CALLS] [`, ""}, {m, `[TOOL_CALLS][]`, ""},
		{p, "Sure:\n{\"name\": \"read\", \"arguments\": {}}\nThat is it.", "Sure:⟦read {}⟧\nThat is it."},
		{p, "```json\n{\"name\": \"read\", \"arguments\": {}}\n```", `⟦read {}⟧`},
		{p, "```tool_code\n[{\"name\": \"read\", \"arguments\": {}}]\n```\nDone", "⟦read {}⟧\nDone"},
		{p, "```\n{\"name\": \"read\", \"arguments\": {}}", `⟦read {}⟧`},
		{p, "```python\nprint(1)\n```", ""}, {p, "```", ""}, {p, "``` x", ""}, {p, "`read`", ""},
		{p, "{\"name\": \"read\"}", ""}, {p, "{\"name\": \"Ada\", \"age\": 5}", ""}, {p, "{ not json", ""},
		{p, "{\"items\": [\n{\"name\": \"read\", \"arguments\": {}}\n]}", ""},
		{p, "{ open\n\n{\"name\": \"read\", \"arguments\": {}}", "{ open⟦read {}⟧"},
		{p, "See {\"name\": \"read\", \"arguments\": {}}", ""},
		{p, `{"function": {"name": "read", "arguments": {"é": "日本"}}}`, `⟦read {"é": "日本"}⟧`},
		{g, `<|tool_call>call:read{path:<|"|>a "b" {c}<|"|>,n:3,deep:{list:[1,true,<|"|>x<|"|>]}}<tool_call|>`, `⟦read {"path":"a \"b\" {c}","n":3,"deep":{"list":[1,true,"x"]}}⟧`},
		{g, `<|tool_call>call:read{}<tool_call|><|tool_call>call:run-it{a:null}<tool_call|>`, `⟦read {}⟧⟦run-it {"a":null}⟧`},
		{g, `<|tool_call>call:other{}<tool_call|>`, ""}, {g, `<|tool_call>call:read{a:b}<tool_call|>`, ""}, {g, `<|tool_call>call:read{a:1`, ""},
		{g, `<|tool_call>call:read{a:1,a:2}<tool_call|>`, ""}, {g, `<|tool_call>call:read{a:` + strings.Repeat("[", 200) + `}<tool_call|>`, ""},
		{f, `<start_function_call>call:get_weather{location:<escape>London<escape>}<end_function_call>`, `⟦get_weather {"location":"London"}⟧`},
	}
}

func TestCallsAreFoundAndTheRestStaysText(t *testing.T) {
	for _, e := range examples() {
		if e.want == "" {
			e.want = e.text
		}
		if got := shown(parse(e.syntax, e.text)); strings.TrimRight(got, " \n") != strings.TrimRight(e.want, " \n") {
			t.Errorf("syntax %d: %s\n gives %s\n  want %s", e.syntax, e.text, got, e.want)
		}
	}
}

// Whatever is cut where, the same comes out: here each example at every byte, and byte for byte.
func TestCutsChangeNothing(t *testing.T) {
	for _, e := range examples() {
		want := shown(parse(e.syntax, e.text))
		for cut := range len(e.text) {
			if got := shown(parse(e.syntax, e.text, cut)); got != want {
				t.Errorf("syntax %d: %s cut at %d\n gives %s\n  want %s", e.syntax, e.text, cut, got, want)
			}
		}
		var all []int
		for cut := range len(e.text) {
			all = append(all, cut)
		}
		if got := shown(parse(e.syntax, e.text, all...)); got != want {
			t.Errorf("syntax %d: %s byte for byte\n gives %s\n  want %s", e.syntax, e.text, got, want)
		}
	}
}

// Random mixtures of calls, near calls and text, cut at random, in every syntax: the same comes out, all calls are right,
// and without a call the text comes out as it went in.
func TestRandomTextsCutAnywhere(t *testing.T) {
	var parts []string
	for _, e := range examples() {
		parts = append(parts, e.text)
	}
	parts = append(parts, " ", "\n", "\n\n", ";", "{", "}", "[", "]", `"`, "`", "```", "<", "name", `{"name":`, "text", "é", "<tool_call>", "</tool_call>",
		"[TOOL_CALLS]", "[ARGS]", "<|python_tag|>", "<function=read>", strings.Repeat("x", 900), `{"name":"read","arguments":{"t":"`+strings.Repeat("y", 3000)+`"}}`)
	rapid.Check(t, func(r *rapid.T) {
		syntax := toolcall.Syntax(rapid.IntRange(0, int(toolcall.FunctionGemma)).Draw(r, "syntax"))
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 8).Draw(r, "parts"), "")
		var cuts []int
		for at := 0; at < len(text); at += rapid.IntRange(1, 40).Draw(r, "step") {
			cuts = append(cuts, at)
		}
		whole := parse(syntax, text)
		if got, want := shown(parse(syntax, text, cuts...)), shown(whole); got != want {
			r.Fatalf("%s\n in pieces %s\n   as whole %s", text, got, want)
		}
		calls := 0
		for _, piece := range whole {
			if piece.Call == nil {
				continue
			}
			calls++
			var arguments map[string]any
			if err := json.Unmarshal(piece.Call.Arguments, &arguments); err != nil || arguments == nil {
				r.Fatalf("arguments %s: %v", piece.Call.Arguments, err)
			}
		}
		if calls == 0 && shown(whole) != text {
			r.Fatalf("%q became %q", text, shown(whole))
		}
	})
}

// An answer that goes on with a text begins where that ends.
func TestAnAnswerMayBeginBehindAText(t *testing.T) {
	const object = `{"name":"read","arguments":{}}`
	for _, c := range []struct {
		syntax toolcall.Syntax
		before string
		call   bool
	}{
		{toolcall.Plain, "It is", false}, {toolcall.Plain, "It is:\n", true}, {toolcall.Plain, " \n ", true}, {toolcall.Plain, "", true},
		{toolcall.LlamaJSON, "It is:\n", false}, {toolcall.LlamaJSON, " \n", true},
	} {
		p := toolcall.NewParser(c.syntax, names())
		p.Behind(c.before)
		if got := shown(append(p.Push(object), p.End()...)); (got != object) != c.call {
			t.Errorf("behind %q: %s", c.before, got)
		}
	}
}

// An answer that begins calls without end is looked at a bounded number of times; what it says comes out as it is.
func TestManyHalvesOfCallsAreText(t *testing.T) {
	for syntax, half := range map[toolcall.Syntax]string{
		toolcall.Plain: "```json\n{\"name\"", toolcall.Hermes: `<tool_call>{"name":"read","arguments":{`, toolcall.LlamaJSON: `<function=read>{`,
		toolcall.Mistral: `[TOOL_CALLS] [{"name": "read", `, toolcall.Gemma: `<|tool_call>call:read{`,
	} {
		text := strings.Repeat(half, 20_000)
		p, out := toolcall.NewParser(syntax, names()), ""
		for at := 0; at < len(text); at += 5 {
			out += shown(p.Push(text[at:min(at+5, len(text))]))
		}
		if out += shown(p.End()); out != text {
			t.Errorf("%d bytes of %q became %d", len(text), half, len(out))
		}
	}
}

func TestASyntaxIsKnownByTheTemplate(t *testing.T) {
	for template, want := range map[string]toolcall.Syntax{
		"within <tool_call></tool_call> tags": toolcall.Hermes, "{{ '[TOOL_CALLS] [' }}": toolcall.Mistral,
		`{"name": function name, "parameters": dictionary of argument name and its value}`: toolcall.LlamaJSON,
		"{{ '<|tool_call>call:' + name }}":                                                 toolcall.Gemma, "<start_function_call>call:": toolcall.FunctionGemma, "{{ messages }}": toolcall.Plain,
	} {
		if got := toolcall.Of(template); got != want {
			t.Errorf("%s: %d, want %d", template, got, want)
		}
	}
}

func FuzzParser(f *testing.F) {
	for _, e := range examples() {
		f.Add(int(e.syntax), e.text, 3)
	}
	f.Fuzz(func(t *testing.T, syntax int, text string, cut int) {
		if syntax < 0 || syntax > int(toolcall.FunctionGemma) || cut < 0 || cut > len(text) {
			return
		}
		s := toolcall.Syntax(syntax)
		if got, want := shown(parse(s, text, cut)), shown(parse(s, text)); got != want {
			t.Errorf("%q cut at %d: %q, want %q", text, cut, got, want)
		}
	})
}
