package toolcall

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/agent-memory/agent-memory/platform/exact"
)

// gemmaMarks are those of Gemma's ways of writing calls.
type gemmaMarks struct{ open, close, quote string }

func (s Syntax) gemma() gemmaMarks {
	if s == FunctionGemma {
		return gemmaMarks{"<start_function_call>", "<end_function_call>", "<escape>"}
	}
	return gemmaMarks{"<|tool_call>", "<tool_call|>", `<|"|>`}
}

// gemmaCalls reads call:name{key:value,…} with the closing mark.
func (p *Parser) gemmaCalls(rest string, mark int, final bool) (calls []Call, n int, found verdict) {
	marks := p.syntax.gemma()
	body, end, isClosed := strings.Cut(rest, marks.close)
	if !isClosed && !final {
		return nil, 0, undecided
	}
	text, ok := strings.CutPrefix(strings.Trim(body, space), "call:")
	name, arguments, hasArguments := strings.Cut(text, "{")
	if !ok || !hasArguments || !p.isTool(name) {
		return nil, 0, notCall
	}
	r := &gemmaReader{text: "{" + arguments, quote: marks.quote}
	switch err := r.value(0); {
	case err != nil && !isClosed:
		return nil, 0, undecided
	case err != nil || r.text != "":
		return nil, 0, notCall
	}
	raw, ok := asObject(r.json.String())
	if !ok {
		return nil, 0, notCall
	}
	return []Call{{name, raw}}, len(p.pending) - len(end), isCall
}

var errNotGemma = errors.New("this is no value of a call")

// maxDepth is how deep values may be nested.
const maxDepth = 100

// gemmaReader rewrites Gemma's values as JSON.
type gemmaReader struct {
	text  string
	quote string // stands around texts
	json  strings.Builder
}

func (r *gemmaReader) value(depth int) error {
	switch {
	case depth > maxDepth || r.text == "":
		return errNotGemma
	case r.text[0] == '{':
		return r.list('}', func() error { return r.member(depth) })
	case r.text[0] == '[':
		return r.list(']', func() error { return r.value(depth + 1) })
	case strings.HasPrefix(r.text, r.quote):
		return r.quotedText()
	}
	return r.scalar()
}

// list reads what stands between brackets.
func (r *gemmaReader) list(closing byte, item func() error) error {
	r.json.WriteByte(r.text[0])
	for r.text = r.text[1:]; r.text != "" && r.text[0] != closing; {
		if err := item(); err != nil {
			return err
		}
		if r.text == "" || r.text[0] != ',' && r.text[0] != closing {
			return errNotGemma
		}
		if r.text[0] == ',' {
			r.json.WriteByte(',')
			r.text = r.text[1:]
		}
	}
	if r.text == "" {
		return errNotGemma
	}
	r.json.WriteByte(closing)
	r.text = r.text[1:]
	return nil
}

func (r *gemmaReader) member(depth int) error {
	if strings.HasPrefix(r.text, r.quote) {
		if err := r.quotedText(); err != nil || r.text == "" || r.text[0] != ':' {
			return errNotGemma
		}
		r.text = r.text[1:]
	} else {
		key, rest, found := strings.Cut(r.text, ":")
		if !found {
			return errNotGemma
		}
		r.string(key)
		r.text = rest
	}
	r.json.WriteByte(':')
	return r.value(depth + 1)
}

func (r *gemmaReader) quotedText() error {
	text, rest, found := strings.Cut(r.text[len(r.quote):], r.quote)
	if !found {
		return errNotGemma
	}
	r.string(text)
	r.text = rest
	return nil
}

func (r *gemmaReader) string(text string) {
	raw, _ := json.Marshal(text) // a string always has a form
	r.json.Write(raw)
}

// scalar reads a number, true, false or null.
func (r *gemmaReader) scalar() error {
	end := strings.IndexAny(r.text, ",}]")
	if end <= 0 || exact.Check([]byte(r.text[:end])) != nil || strings.ContainsAny(r.text[:end], `"{[`) {
		return errNotGemma
	}
	r.json.WriteString(r.text[:end])
	r.text = r.text[end:]
	return nil
}
