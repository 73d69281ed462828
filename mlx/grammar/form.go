package grammar

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Form is what a document is made of: texts, marks and values of JSON schemas, one after the other or by choice. The zero
// value is the form of nothing.
type Form struct {
	build func(*builder) (*node, error)
}

// builder makes the nodes of one grammar.
type builder struct {
	words  *Vocabulary
	limits limits
}

// CompileForm is Compile for documents that are not JSON alone.
func CompileForm(f Form, words *Vocabulary) (*Grammar, error) {
	first, err := f.node(&builder{words: words})
	if err != nil {
		return nil, err
	}
	if !mark(first) {
		return nil, refuse("$", "no value is valid by this schema")
	}
	g := &Grammar{words, newAutomaton(first, words.longest)}
	if _, err := g.Walk().Allowed(); err != nil { // the first mask is computed here, and not where others wait
		return nil, refuse("$", "the schema leaves too many ways to go on, or the vocabulary can't write its values")
	}
	return g, nil
}

func (f Form) node(b *builder) (*node, error) {
	if f.build == nil {
		return join(), nil
	}
	return f.build(b)
}

// Text is one text.
func Text(text string) Form {
	return Form{func(*builder) (*node, error) { return literal(text), nil }}
}

// Mark is a text that is a token of its own in some vocabularies: there only that token writes it, and nothing else does.
func Mark(text string) Form {
	return Form{func(b *builder) (*node, error) {
		if alias, ok := b.words.marks[text]; ok {
			text = alias
		}
		return literal(text), nil
	}}
}

// Value are the values of a JSON schema. The place is named where the schema is refused.
func Value(schema []byte, place string) Form {
	return Form{func(b *builder) (*node, error) { return (&compiler{limits: &b.limits}).compile(schema, place) }}
}

// Object are the values of a schema of objects, held to it as far as this package can: what it can't hold an answer to
// is left open, and never refused. Where properties are declared and nothing is said of others, there are no others: small
// models would not come to an end.
func Object(schema []byte) Form {
	return Form{func(b *builder) (*node, error) {
		n, err := (&compiler{limits: &b.limits, loose: true}).compile(withType(schema), "$")
		if err != nil || n == anyValue {
			n, err = (&compiler{limits: &b.limits}).compile([]byte(AnyObject), "$")
		}
		return n, err
	}}
}

// withType says of a schema that says nothing else of its values that they are objects.
func withType(schema []byte) []byte {
	var f fields
	if json.Unmarshal(schema, &f) != nil || f == nil {
		return schema
	}
	for _, name := range append([]string{"type"}, choosers...) {
		if _, ok := f[name]; ok {
			return schema
		}
	}
	return append([]byte(`{"type":"object",`), bytes.TrimLeft(bytes.TrimSpace(schema), "{")...)
}

// Sequence are its parts, one after the other.
func Sequence(parts ...Form) Form { return combined(join, parts) }

// OneOf is one of its parts.
func OneOf(parts ...Form) Form { return combined(either, parts) }

func combined(how func(...*node) *node, parts []Form) Form {
	return Form{func(b *builder) (*node, error) {
		var nodes []*node
		for _, part := range parts {
			n, err := part.node(b)
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
		return how(nodes...), nil
	}}
}

// Repeated is an item, between least and most times.
func Repeated(item Form, least, most int) Form {
	return Form{func(b *builder) (*node, error) {
		n, err := item.node(b)
		return times(n, least, most), err
	}}
}

// Byte is one byte that is not among the given ones, nor part of a mark that is a token.
func Byte(except string) Form {
	return Form{func(*builder) (*node, error) {
		n := set(0, markByte-1)
		for i := range len(except) {
			n.bytes[except[i]] = false
		}
		return n, nil
	}}
}

// Prose is any text in which none of the given texts stands.
func Prose(without ...string) Form {
	return Form{func(*builder) (*node, error) { return prose(without), nil }}
}

// prose has a node for each beginning of a text that is excluded: that of the longest one that the text so far ends with.
// (Aho and Corasick, Efficient string matching, 1975.)
func prose(without []string) *node {
	states := map[string]*node{"": either()}
	for _, text := range without {
		for i := 1; i < len(text); i++ {
			states[text[:i]] = either()
		}
	}
	for so, n := range states {
		targets := map[*node]*node{}
		n.parts = []*node{join()}
		for b := range int(markByte) {
			to := states[longestBeginning(so+string([]byte{byte(b)}), states)]
			if endsWithAny(so+string([]byte{byte(b)}), without) {
				continue
			}
			if targets[to] == nil {
				targets[to] = &node{kind: class}
				n.parts = append(n.parts, join(targets[to], to))
			}
			targets[to].bytes[b] = true
		}
	}
	return states[""]
}

func longestBeginning(text string, states map[string]*node) string {
	for states[text] == nil {
		text = text[1:]
	}
	return text
}

func endsWithAny(text string, ends []string) bool {
	for _, end := range ends {
		if strings.HasSuffix(text, end) {
			return true
		}
	}
	return false
}
