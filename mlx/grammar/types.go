package grammar

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// mostCount is the greatest length or number of elements that a schema may name.
const mostCount = 100_000

// typed is the form of a schema that describes its values by their types.
func (c *compiler) typed(f fields, place string, depth int) (*node, error) {
	types, err := f.types(place)
	if err != nil {
		return nil, err
	}
	n := either()
	for _, t := range types {
		if t == "integer" && slices.Contains(types, "number") {
			continue
		}
		part, err := c.ofType(t, f, place, depth)
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
	}
	return n, nil
}

func (c *compiler) ofType(t string, f fields, place string, depth int) (*node, error) {
	switch t {
	case "string":
		if n, err := f.textual(place); err == nil && n != nil || err != nil && !c.loose {
			return n, err
		}
		least, most, err := f.counts(place, "minLength", "maxLength")
		return text(least, most), err
	case "number":
		return f.number(place)
	case "integer":
		return f.integer(place)
	case "object":
		return c.object(f, place, depth)
	case "array":
		return c.array(f, place, depth)
	case "boolean":
		return either(literal("true"), literal("false")), nil
	}
	return literal("null"), nil
}

// counts reads a pair of bounds.
func (f fields) counts(place, least, most string) (from, to int, err error) {
	from, to = 0, unbounded
	for name, into := range map[string]*int{least: &from, most: &to} {
		raw, ok := f[name]
		if !ok {
			continue
		}
		var count float64
		if json.Unmarshal(raw, &count) != nil || count != float64(int(count)) || count < 0 || count > mostCount {
			return 0, 0, refuse(place+"."+name, "must be a whole number between 0 and %d", mostCount)
		}
		*into = int(count)
	}
	if to != unbounded && to < from {
		return 0, 0, refuse(place+"."+most, "is less than %s", least)
	}
	return from, to, nil
}

// decimal reads a number as people write bounds; one with an exponent could be too large to compute with.
func decimal(raw json.RawMessage) (*big.Rat, bool) {
	if len(raw) == 0 || len(raw) > mostDigits-1 || bytes.ContainsAny(raw, "eE") {
		return nil, false
	}
	return new(big.Rat).SetString(string(raw))
}

// object is the form of objects, with the declared properties in the schema's order.
func (c *compiler) object(f fields, place string, depth int) (*node, error) {
	n := &node{kind: object}
	var required []string
	if raw, ok := f["required"]; ok && json.Unmarshal(raw, &required) != nil || len(required) > mostParts {
		return nil, refuse(place+".required", "must be an array of at most %d names", mostParts)
	}
	for _, name := range required {
		if len(name) > mostName {
			return nil, refuse(place+".required", "a name may have %d bytes", mostName)
		}
	}
	names, forms, err := declared(f["properties"], place+".properties")
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		value, err := c.schema(forms[i], place+".properties."+name, depth+1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{join(literal(spelled(name)), colon, value), slices.Contains(required, name)})
	}
	extra := anyValue
	if raw, ok := f["additionalProperties"]; ok {
		if extra, err = c.schema(raw, place+".additionalProperties", depth+1); err != nil {
			return nil, err
		}
	}
	for _, name := range required {
		if !slices.Contains(names, name) {
			names = append(names, name)
			n.members = append(n.members, member{join(literal(spelled(name)), colon, extra), true})
		}
	}
	if _, told := f["additionalProperties"]; told || !c.loose || len(names) == 0 {
		n.extra = join(nameBeside(names), colon, extra)
	}
	return join(oneByte('{'), n), nil
}

// declared reads properties in their order.
func declared(raw json.RawMessage, place string) (names []string, forms []json.RawMessage, err error) {
	if len(raw) == 0 {
		return nil, nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, nil, refuse(place, "must be an object")
	}
	for d.More() {
		name, err := d.Token()
		var form json.RawMessage
		if err != nil || d.Decode(&form) != nil {
			return nil, nil, refuse(place, "must be an object")
		}
		if len(name.(string)) > mostName || len(names) >= mostParts {
			return nil, nil, refuse(place, "there may be %d names, of %d bytes", mostParts, mostName)
		}
		if slices.Contains(names, name.(string)) {
			return nil, nil, refuse(place+"."+name.(string), "is declared twice")
		}
		names, forms = append(names, name.(string)), append(forms, form)
	}
	return names, forms, nil
}

// array is the form of arrays.
func (c *compiler) array(f fields, place string, depth int) (*node, error) {
	least, most, err := f.counts(place, "minItems", "maxItems")
	if err != nil {
		return nil, err
	}
	n := &node{kind: array, least: least, most: most, item: anyValue}
	var first []json.RawMessage
	if raw, ok := f["prefixItems"]; ok && json.Unmarshal(raw, &first) != nil {
		return nil, refuse(place+".prefixItems", "must be an array of schemas")
	}
	for i, raw := range first {
		part, err := c.schema(raw, place+".prefixItems["+strconv.Itoa(i)+"]", depth+1)
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
	}
	if raw, ok := f["items"]; ok {
		if n.item, err = c.schema(raw, place+".items", depth+1); err != nil {
			return nil, err
		}
	}
	return join(oneByte('['), n), nil
}

// integer is the form of whole numbers between the bounds.
func (f fields) integer(place string) (*node, error) {
	var least, most *big.Int
	one := big.NewInt(1)
	for _, bound := range []struct {
		name        string
		upper, past bool
	}{{"minimum", false, false}, {"exclusiveMinimum", false, true}, {"maximum", true, false}, {"exclusiveMaximum", true, true}} {
		raw, ok := f[bound.name]
		if !ok {
			continue
		}
		limit, valid := decimal(raw)
		if !valid {
			return nil, refuse(place+"."+bound.name, "must be a number of at most 18 digits")
		}
		n := new(big.Int).Div(limit.Num(), limit.Denom()) // rounded down
		switch isWhole := limit.IsInt(); {
		case bound.upper && bound.past && isWhole:
			n.Sub(n, one)
		case !bound.upper && (bound.past || !isWhole):
			n.Add(n, one)
		}
		if bound.upper && (most == nil || n.Cmp(most) < 0) {
			most = n
		} else if !bound.upper && (least == nil || n.Cmp(least) > 0) {
			least = n
		}
	}
	if least == nil && most == nil {
		return integer, nil
	}
	furthest, _ := new(big.Int).SetString(strings.Repeat("9", mostDigits), 10)
	if most == nil {
		most = furthest
	}
	if least == nil {
		least = new(big.Int).Neg(furthest)
	}
	return between(least, most), nil
}

// between is the form of the whole numbers from least to most.
func between(least, most *big.Int) *node {
	n, zero := either(), new(big.Int)
	if least.Sign() < 0 {
		from, to := new(big.Int).Neg(most), new(big.Int).Neg(least)
		if from.Sign() <= 0 {
			from = big.NewInt(1)
		}
		n.parts = append(n.parts, join(oneByte('-'), naturals(from.String(), to.String())))
		least = zero
	}
	if least.Cmp(most) <= 0 {
		n.parts = append(n.parts, naturals(least.String(), most.String()))
	}
	return n
}

// naturals is the form of the numbers between two that are not negative, in decimal digits.
func naturals(from, to string) *node {
	n := either()
	if len(from) > len(to) || len(from) == len(to) && from > to {
		return n
	}
	for len(from) < len(to) {
		n.parts = append(n.parts, digits(from, strings.Repeat("9", len(from))))
		from = "1" + strings.Repeat("0", len(from))
	}
	n.parts = append(n.parts, digits(from, to))
	return n
}

// digits is the form of numbers of the same length between two of that length.
func digits(from, to string) *node {
	if from == "" {
		return join()
	}
	if strings.Trim(from, "0") == "" && strings.Trim(to, "9") == "" {
		return times(digit, len(from), len(from))
	}
	if from[0] == to[0] {
		return join(oneByte(from[0]), digits(from[1:], to[1:]))
	}
	zeros, nines := strings.Repeat("0", len(from)-1), strings.Repeat("9", len(from)-1)
	n := either(join(oneByte(from[0]), digits(from[1:], nines)), join(oneByte(to[0]), digits(zeros, to[1:])))
	if from[0]+1 < to[0] {
		n.parts = append(n.parts, join(set(from[0]+1, to[0]-1), digits(zeros, nines)))
	}
	return n
}
