package toolcall_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/toolcall"
)

// spelled tells whether a text is among the spellings of what is read from it, with the arguments as a client
// sends them.
func spelled(s toolcall.Syntax, text string) (found bool, tried int) {
	var sent []toolcall.Piece
	for _, piece := range parse(s, text) {
		if piece.Call != nil {
			var compact strings.Builder
			encoder := json.NewEncoder(&compact) // escapes < and >, as some clients do
			if err := encoder.Encode(piece.Call.Arguments); err != nil {
				return false, 0
			}
			piece = toolcall.Piece{Call: &toolcall.Call{Name: piece.Call.Name, Arguments: json.RawMessage(compact.String())}}
		}
		sent = append(sent, piece)
	}
	toolcall.Spellings(sent, func(candidate string) bool {
		tried++
		found = found || candidate == text
		return found
	})
	return found, tried
}

// What models write as their templates taught them is found again from what a client sends back.
func TestUsualSpellingsAreTried(t *testing.T) {
	h, l, m, p := toolcall.Hermes, toolcall.LlamaJSON, toolcall.Mistral, toolcall.Plain
	for _, c := range []struct {
		syntax toolcall.Syntax
		text   string
	}{
		{h, "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a, b: <c>\", \"n\": [1, 2.50, {\"x\": null}]}}\n</tool_call>"},
		{h, "I look, \"now\".\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"t\": \"é\\n\\\"\\\\\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"run-it\", \"arguments\": {}}\n</tool_call>"},
		{h, "<tool_call>{\"name\":\"read\",\"arguments\":{\"a\":1,\"b\":2}}</tool_call>"},
		{l, `{"name": "read", "parameters": {"a": "b"}}`},
		{l, `{"name": "read", "parameters": {"a": "b"}}; {"name": "run-it", "parameters": {}}`},
		{l, `<|python_tag|>{"name": "read", "parameters": {}}`},
		{m, `[TOOL_CALLS] [{"name": "read", "arguments": {"a": 1}}, {"name": "run-it", "arguments": {}}]`},
		{m, `[TOOL_CALLS]read[ARGS]{"a": 1}[TOOL_CALLS]run-it[ARGS]{}`},
		{p, "Sure:\n{\"name\": \"read\", \"arguments\": {\"a\": 1}}"},
		{p, "Sure:\n\n```json\n{\"name\": \"read\", \"arguments\": {\"a\": 1}}\n```"},
	} {
		if found, tried := spelled(c.syntax, c.text); !found || tried > 400 {
			t.Errorf("%q is not among %d spellings", c.text, tried)
		}
	}
}

// Nothing is tried for what ends otherwise, and for what has a mark in the words of a user.
func TestNothingIsTriedForTextWithMarks(t *testing.T) {
	call := func(name, arguments string) toolcall.Piece {
		return toolcall.Piece{Call: &toolcall.Call{Name: name, Arguments: json.RawMessage(arguments)}}
	}
	for _, pieces := range [][]toolcall.Piece{
		nil, {{Text: "text"}}, {call("read", "{}"), {Text: "behind"}}, {{Text: "a [TOOL_CALLS] b"}, call("read", "{}")},
		{call("<tool_call>", "{}")}, {call("read", `{"a":"<|python_tag|>"}`)}, {call("read", `{"a":"<|tool_call>"}`)},
	} {
		toolcall.Spellings(pieces, func(text string) bool {
			t.Errorf("%v: tried %q", pieces, text)
			return true
		})
	}
}

// Whatever a client sends as arguments, right JSON or not, writing it anew ends.
func FuzzSpellings(f *testing.F) {
	f.Add("read", `{"a":"\u003c","b":[1, 2]}`)
	f.Add("", `{"a`)
	f.Add("x", `"\`)
	f.Fuzz(func(t *testing.T, name, arguments string) {
		pieces := []toolcall.Piece{{Call: &toolcall.Call{Name: name, Arguments: json.RawMessage(arguments)}}}
		toolcall.Spellings(pieces, func(text string) bool {
			if text == "" {
				t.Error("an empty text")
			}
			return false
		})
	})
}
