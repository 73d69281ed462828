package toolcall

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// How a model wrote its calls is not known any more when the server was restarted. But models write as their
// templates taught them, so there are few ways to try, and who knows a digest of the text knows the right
// one.

// Spellings calls try with the texts that a model may have written for an answer that ends with a call, until
// it returns true. A text with a mark in what the model is said to have written is never tried: that could be
// a user's.
func Spellings(pieces []Piece, try func(text string) bool) {
	if len(pieces) == 0 || pieces[len(pieces)-1].Call == nil || mentionMarks(pieces) {
		return
	}
	for _, style := range []style{{", ", ": "}, {",", ":"}} {
		for _, write := range writings(style) {
			for _, before := range whiteSpaces() {
				for _, between := range whiteSpaces() {
					if try(spell(pieces, write, before, between)) {
						return
					}
				}
			}
		}
	}
}

// whiteSpaces are the texts of white space that models write before a call.
func whiteSpaces() []string { return []string{"\n", "", "\n\n", " "} }

// writing is a way to write calls that follow each other.
type writing func(calls []Call, between string) string

// spell writes an answer: runs of calls in one way, texts as they are, with white space between.
func spell(pieces []Piece, write writing, before, between string) string {
	var b strings.Builder
	for i := 0; i < len(pieces); {
		if pieces[i].Call == nil {
			b.WriteString(pieces[i].Text)
			i++
			continue
		}
		var run []Call
		for ; i < len(pieces) && pieces[i].Call != nil; i++ {
			run = append(run, *pieces[i].Call)
		}
		if b.Len() > 0 {
			b.WriteString(before)
		}
		b.WriteString(write(run, between))
	}
	return b.String()
}

// writings are the ways of all syntaxes, in one style of JSON.
func writings(s style) []writing {
	arguments := func(c Call) string { return s.object("name", c.Name, "arguments", c.Arguments) }
	parameters := func(c Call) string { return s.object("name", c.Name, "parameters", c.Arguments) }
	array := func(open string) writing {
		return func(calls []Call, _ string) string { return open + "[" + joinCalls(calls, s.comma, arguments) + "]" }
	}
	around := func(open, closing string, one func(Call) string) writing {
		return func(calls []Call, between string) string {
			return joinCalls(calls, between, func(c Call) string { return open + one(c) + closing })
		}
	}
	return []writing{
		around(openHermes+"\n", "\n"+closeHermes, arguments), around(openHermes, closeHermes, arguments),
		around("", "", parameters), around(pythonTag, "", parameters),
		func(calls []Call, _ string) string { return joinCalls(calls, "; ", parameters) },
		array(openMistral + " "), array(openMistral),
		around(openMistral, "", func(c Call) string { return c.Name + argsMistral + s.write(c.Arguments) }),
		around("", "", arguments), around(fence+"json\n", "\n"+fence, arguments),
	}
}

func joinCalls(calls []Call, between string, write func(Call) string) string {
	var texts []string
	for _, c := range calls {
		texts = append(texts, write(c))
	}
	return strings.Join(texts, between)
}

// mentionMarks tells whether any syntax's mark stands in what was written.
func mentionMarks(pieces []Piece) bool {
	for _, piece := range pieces {
		text := piece.Text
		if piece.Call != nil {
			text = piece.Call.Name + "\n" + string(piece.Call.Arguments)
		}
		for s := Plain; s <= FunctionGemma; s++ {
			if slices.ContainsFunc(s.Marks(), func(mark string) bool { return strings.Contains(text, mark) }) {
				return true
			}
		}
	}
	return false
}

// style is what stands behind an item and behind a key of JSON.
type style struct{ comma, colon string }

// object writes an object of a name and arguments.
func (s style) object(nameKey, name, argumentsKey string, arguments json.RawMessage) string {
	return `{"` + nameKey + `"` + s.colon + quoteText(name) + s.comma + `"` + argumentsKey + `"` + s.colon + s.write(arguments) + "}"
}

// write writes JSON in the style: the order of keys and the numbers stay, texts are escaped as far as they
// must be.
func (s style) write(raw json.RawMessage) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case ' ', '\t', '\r', '\n':
		case ',':
			b.WriteString(s.comma)
		case ':':
			b.WriteString(s.colon)
		case '"':
			end := endOfText(raw, i)
			var text string
			if json.Unmarshal(raw[i:end], &text) != nil {
				return string(raw)
			}
			b.WriteString(quoteText(text))
			i = end - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// endOfText is where the text that begins at a quotation mark ends.
func endOfText(raw []byte, i int) int {
	for i++; i < len(raw) && raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(raw))
}

func quoteText(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a text always has a form
	return strings.TrimSuffix(b.String(), "\n")
}
