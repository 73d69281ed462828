// Package toolcall finds calls of tools in the text that a model writes, while it is written.
//
// A call is withheld until it is whole and right: its tool is one of the request's and its arguments are a
// JSON object. What only looks like a call, or is cut off, is text, byte for byte. What is found does not
// depend on where the text is cut into pieces.
package toolcall

import (
	"encoding/json"
	"strings"
)

// Call is a call of a tool.
type Call struct {
	Name      string
	Arguments json.RawMessage // an object, as the model wrote it
}

// Piece is what a text goes on with: a call, or text if Call is nil.
type Piece struct {
	Text string
	Call *Call
	End  int // of a call: bytes of the whole text up to its end
}

// Syntax is a way to write calls. The zero value is Plain.
type Syntax int

// The syntaxes.
const (
	Plain         Syntax = iota // an object with "name" and "arguments" on a line of its own, fenced or not, as chat.DescribeTools asks
	Hermes                      // <tool_call>{"name": …, "arguments": {…}}</tool_call>: Hermes, Qwen and many more
	LlamaJSON                   // {"name": …, "parameters": {…}}, or <function=name>{…}</function>: Llama 3.1 and later
	Mistral                     // [TOOL_CALLS] [{"name": …, "arguments": {…}}], or [TOOL_CALLS]name[ARGS]{…}
	Gemma                       // <|tool_call>call:name{key:<|"|>text<|"|>}<tool_call|>: Gemma 4
	FunctionGemma               // <start_function_call>call:name{key:<escape>text<escape>}<end_function_call>
)

// Marks are the texts that stand in a call as marks of the template's own, and that are special tokens in
// some vocabularies.
func (s Syntax) Marks() []string {
	switch s {
	case Hermes:
		return []string{openHermes, closeHermes}
	case LlamaJSON:
		return []string{pythonTag}
	case Mistral:
		return []string{openMistral, argsMistral, idMistral}
	case Gemma, FunctionGemma:
		g := s.gemma()
		return []string{g.open, g.close, g.quote}
	}
	return nil
}

// Of is the syntax that a chat template teaches its model.
func Of(template string) Syntax {
	for _, row := range []struct {
		mark   string
		syntax Syntax
	}{
		{openMistral, Mistral}, {openHermes, Hermes}, {Gemma.gemma().open, Gemma}, {FunctionGemma.gemma().open, FunctionGemma},
		{pythonTag, LlamaJSON}, {`"parameters": dictionary`, LlamaJSON}, {functionTag, LlamaJSON},
	} {
		if strings.Contains(template, row.mark) {
			return row.syntax
		}
	}
	return Plain
}
