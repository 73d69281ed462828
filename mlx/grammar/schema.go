package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a schema.
const (
	mostBytes = 64 << 10
	mostParts = 5_000
	mostDepth = 64
	mostWork  = 16 << 20 // bytes that are read while it is compiled; references have places read again
	mostName  = 256      // bytes of a property's name
)

// RefusedError refuses a schema that an answer can't be held to.
type RefusedError struct{ Place, Reason string }

func (e *RefusedError) Error() string { return e.Place + ": " + e.Reason }

func refuse(place, format string, args ...any) error {
	return &RefusedError{place, fmt.Sprintf(format, args...)}
}

// annotations say nothing about which values are valid.
var annotations = []string{
	"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
}

// keywords are those that a schema is held to, beside $ref and those that choose between schemas.
var keywords = []string{
	"type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems", "minLength", "maxLength", "pattern", "format",
	"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
}

type fields map[string]json.RawMessage

// choosers are the keywords that give a schema's values by others, in the order in which they count.
var choosers = []string{"$ref", "const", "enum", "anyOf", "oneOf", "allOf"}

// limits count what the schemas of one grammar have.
type limits struct{ parts, work int }

func (l *limits) tires(raw json.RawMessage) bool {
	l.work += len(raw)
	return l.work > mostWork
}

// compiler turns a schema into a form.
type compiler struct {
	*limits
	root  json.RawMessage
	place string           // of the schema
	refs  map[string]*node // by their pointer; filled when they are compiled
	loose bool             // what is not supported is left open, instead of being refused
}

// compile returns the form of the values of a schema, which stands at a place of the request.
func (c *compiler) compile(schema []byte, place string) (*node, error) {
	if len(schema) > mostBytes {
		return nil, refuse(place, "the schema has %d bytes; the most is %d", len(schema), mostBytes)
	}
	if !json.Valid(schema) {
		return nil, refuse(place, "must be a JSON schema")
	}
	c.root, c.place, c.refs = schema, place, map[string]*node{}
	return c.schema(schema, place, 0)
}

// schema returns the form of a schema's values.
func (c *compiler) schema(raw json.RawMessage, place string, depth int) (*node, error) {
	if c.parts++; c.parts > mostParts || depth > mostDepth || c.tires(raw) {
		return nil, refuse(place, "the schema is too large; it may have %d parts, %d deep", mostParts, mostDepth)
	}
	n, err := c.exact(raw, place, depth)
	if err != nil && c.loose {
		return anyValue, nil
	}
	return n, err
}

func (c *compiler) exact(raw json.RawMessage, place string, depth int) (*node, error) {
	switch string(bytes.TrimSpace(raw)) {
	case "true":
		return anyValue, nil
	case "false":
		return either(), nil
	}
	f, err := fieldsOf(raw, place)
	if err != nil {
		return nil, err
	}
	for _, name := range choosers {
		if value, ok := f[name]; ok && !(c.loose && f.describes(name)) {
			return c.chosen(f, name, value, place, depth)
		}
	}
	if err := c.only(f, place, keywords...); err != nil {
		return nil, err
	}
	return c.typed(f, place, depth)
}

func fieldsOf(raw json.RawMessage, place string) (f fields, err error) {
	if json.Unmarshal(raw, &f) != nil || f == nil {
		return nil, refuse(place, "must be a JSON schema: an object, true or false")
	}
	return f, nil
}

// describes tells whether the schema says more of its values itself than the schemas of a keyword can be expected to.
func (f fields) describes(name string) bool {
	_, properties := f["properties"]
	return properties && strings.HasSuffix(name, "Of")
}

// only refuses keywords beside the known ones and those without meaning.
func (c *compiler) only(f fields, place string, known ...string) error {
	if c.loose {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		switch {
		case slices.Contains(annotations, name) || slices.Contains(known, name):
		case slices.Contains(keywords, name) || slices.Contains(choosers, name):
			return refuse(place+"."+name, "this keyword is not supported beside %s; write it inside", known[0])
		default:
			return refuse(place+"."+name, "this keyword is not supported; leave it out")
		}
	}
	return nil
}

// chosen is the form of a schema whose values another schema or a list gives.
func (c *compiler) chosen(f fields, name string, value json.RawMessage, place string, depth int) (*node, error) {
	inside := place + "." + name
	switch name {
	case "$ref":
		if err := c.only(f, place, "$ref"); err != nil {
			return nil, err
		}
		return c.ref(value, inside, depth)
	case "const", "enum":
		if err := c.only(f, place, name, "type"); err != nil {
			return nil, err
		}
		return c.listed(f, name, value, place)
	}
	if err := c.only(f, place, name); err != nil {
		return nil, err
	}
	var branches []json.RawMessage
	if json.Unmarshal(value, &branches) != nil || len(branches) == 0 {
		return nil, refuse(inside, "must be an array of schemas")
	}
	if name == "allOf" && len(branches) > 1 {
		return nil, refuse(inside, "more than one schema is not supported; write them as one")
	}
	if name == "oneOf" && !c.loose {
		for i := range branches {
			for j := range i {
				if !c.disjoint(branches[i], branches[j], depth) {
					return nil, refuse(inside, "branches %d and %d may both hold for a value; send anyOf, or tell them apart by a type or a const", j, i)
				}
			}
		}
	}
	n := either()
	for i, branch := range branches {
		part, err := c.schema(branch, inside+"["+strconv.Itoa(i)+"]", depth+1)
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
	}
	return n, nil
}

// ref is the form of another place in the schema. It may lie within itself.
func (c *compiler) ref(value json.RawMessage, place string, depth int) (*node, error) {
	var pointer string
	if json.Unmarshal(value, &pointer) != nil || pointer != "#" && !strings.HasPrefix(pointer, "#/") {
		return nil, refuse(place, "must be a place in this schema, as \"#/$defs/name\"")
	}
	if known, ok := c.refs[pointer]; ok {
		return known, nil
	}
	target, err := c.find(pointer, place)
	if err != nil {
		return nil, err
	}
	n := either()
	c.refs[pointer] = n
	part, err := c.schema(target, c.place+strings.ReplaceAll(strings.TrimPrefix(pointer, "#"), "/", "."), depth+1)
	n.parts = []*node{part}
	return n, err
}

func (c *compiler) find(pointer, place string) (json.RawMessage, error) {
	at := c.root
	for _, name := range strings.Split(pointer, "/")[1:] {
		if c.tires(at) {
			return nil, refuse(place, "the schema is too large; have fewer references in it")
		}
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		var inside fields
		var list []json.RawMessage
		i, wrong := strconv.Atoi(name)
		switch {
		case json.Unmarshal(at, &inside) == nil && inside[name] != nil:
			at = inside[name]
		case wrong == nil && json.Unmarshal(at, &list) == nil && i >= 0 && i < len(list):
			at = list[i]
		default:
			return nil, refuse(place, "there is no %q in this schema", name)
		}
	}
	return at, nil
}

// listed is the form of const and enum: the values as they are usually written.
func (c *compiler) listed(f fields, name string, value json.RawMessage, place string) (*node, error) {
	values := []json.RawMessage{value}
	if name == "enum" && json.Unmarshal(value, &values) != nil {
		return nil, refuse(place+".enum", "must be an array")
	}
	types, err := f.types(place)
	if err != nil {
		return nil, err
	}
	n := either()
	for _, value := range values {
		if v := exactly(value); slices.Contains(types, typeOf(v)) || typeOf(v) == "integer" && slices.Contains(types, "number") {
			n.parts = append(n.parts, literal(spelled(v)))
		}
	}
	return n, nil
}

func exactly(raw json.RawMessage) (v any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

func typeOf(v any) string {
	switch v := v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			return "number"
		}
		return "integer"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

var allTypes = []string{"string", "number", "integer", "object", "array", "boolean", "null"}

// types are those that a schema allows.
func (f fields) types(place string) (types []string, err error) {
	raw, ok := f["type"]
	if !ok {
		return allTypes, nil
	}
	if json.Unmarshal(raw, &types) != nil {
		var one string
		if json.Unmarshal(raw, &one) != nil {
			return nil, refuse(place+".type", "must be a type or an array of types")
		}
		types = []string{one}
	}
	for _, t := range types {
		if !slices.Contains(allTypes, t) {
			return nil, refuse(place+".type", "must be one of %s", strings.Join(allTypes, ", "))
		}
	}
	return types, nil
}
