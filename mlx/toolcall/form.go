package toolcall

import "github.com/agent-memory/agent-memory/mlx/grammar"

// Callable is a tool whose calls are to be written.
type Callable struct {
	Name      string
	Arguments grammar.Form
}

// Form is that of between one call and so many, as a Parser of the syntax reads them and templates show them to their
// models. It is false for syntaxes whose arguments are not JSON.
func (s Syntax) Form(tools []Callable, most int) (grammar.Form, bool) {
	list := func(open grammar.Form, one func(Callable) grammar.Form, comma string, closing grammar.Form) grammar.Form {
		return grammar.Sequence(open, separated(tools, one, comma, most), closing)
	}
	var none grammar.Form
	switch s {
	case Plain:
		return list(none, object("arguments"), "\n", none), true
	case Hermes:
		return list(none, tagged, "\n", none), true
	case LlamaJSON:
		return list(none, object("parameters"), "; ", none), true
	case Mistral:
		return grammar.OneOf(
			list(grammar.Sequence(grammar.Mark(openMistral), grammar.Repeated(grammar.Text(" "), 0, 1), grammar.Text("[")), object("arguments"), ", ", grammar.Text("]")),
			list(none, named, "", none),
		), true
	}
	return none, false
}

// FormOrText is Form or a text without any call, or a text and calls behind it. Text that could be the beginning of a call
// is left out.
func (s Syntax) FormOrText(tools []Callable, most int) (grammar.Form, bool) {
	calls, ok := s.Form(tools, most)
	switch s {
	case Hermes, Mistral:
		return grammar.Sequence(grammar.Prose(s.openers()...), grammar.Repeated(calls, 0, 1)), ok
	case LlamaJSON:
		return grammar.OneOf(calls, blankOr(grammar.Byte(space+"{"), grammar.Prose(pythonTag, functionTag))), ok
	case Plain:
		return grammar.OneOf(calls, blankOr(grammar.Byte(space+"{`"), grammar.Prose())), ok
	}
	return calls, ok
}

// blankOr is white space, and behind it nothing or a first byte and a rest.
func blankOr(first, rest grammar.Form) grammar.Form {
	return grammar.Sequence(grammar.Repeated(grammar.OneOf(grammar.Text(" "), grammar.Text("\n")), 0, 4), grammar.Repeated(grammar.Sequence(first, rest), 0, 1))
}

// separated are calls with something between them.
func separated(tools []Callable, one func(Callable) grammar.Form, comma string, most int) grammar.Form {
	var each []grammar.Form
	for _, tool := range tools {
		each = append(each, one(tool))
	}
	call := grammar.OneOf(each...)
	return grammar.Sequence(call, grammar.Repeated(grammar.Sequence(grammar.Text(comma), call), 0, most-1))
}

// object writes a call as one object.
func object(arguments string) func(Callable) grammar.Form {
	return func(c Callable) grammar.Form {
		return grammar.Sequence(grammar.Text(`{"name": "`+c.Name+`", "`+arguments+`": `), c.Arguments, grammar.Text("}"))
	}
}

// tagged writes a call between Hermes's marks.
func tagged(c Callable) grammar.Form {
	return grammar.Sequence(grammar.Mark(openHermes), grammar.Text("\n"), object("arguments")(c), grammar.Text("\n"), grammar.Mark(closeHermes))
}

// named writes a call as Mistral's later templates do.
func named(c Callable) grammar.Form {
	return grammar.Sequence(grammar.Mark(openMistral), grammar.Text(c.Name), grammar.Mark(argsMistral), c.Arguments)
}
