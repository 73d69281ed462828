package grammar

import (
	"encoding/json"
	"slices"
)

// disjoint tells whether it is certain that no value is valid by both schemas: their types differ, or their listed values,
// or those of a property that both require.
func (c *compiler) disjoint(a, b json.RawMessage, depth int) bool {
	if depth > mostDepth || c.tires(a) || c.tires(b) {
		return false
	}
	f, g := c.resolved(a), c.resolved(b)
	if f == nil || g == nil {
		return false
	}
	v, w := f.values(), g.values()
	if v != nil && w != nil {
		return !slices.ContainsFunc(v, func(x string) bool { return slices.Contains(w, x) })
	}
	types, err := f.types("")
	others, wrong := g.types("")
	if err != nil || wrong != nil {
		return false
	}
	if !overlap(types, others) {
		return true
	}
	if !slices.Equal(types, []string{"object"}) || !slices.Equal(others, []string{"object"}) {
		return false
	}
	var mine, theirs fields
	var required, requiredToo []string
	if json.Unmarshal(f["properties"], &mine) != nil || json.Unmarshal(g["properties"], &theirs) != nil ||
		json.Unmarshal(f["required"], &required) != nil || json.Unmarshal(g["required"], &requiredToo) != nil {
		return false
	}
	return slices.ContainsFunc(required, func(name string) bool {
		return slices.Contains(requiredToo, name) && mine[name] != nil && theirs[name] != nil && c.disjoint(mine[name], theirs[name], depth+1)
	})
}

// resolved follows references, a bounded number of them.
func (c *compiler) resolved(raw json.RawMessage) fields {
	for range mostDepth {
		f, err := fieldsOf(raw, "")
		if err != nil {
			return nil
		}
		var pointer string
		if json.Unmarshal(f["$ref"], &pointer) != nil {
			return f
		}
		if raw, err = c.find(pointer, ""); err != nil {
			return nil
		}
	}
	return nil
}

// values are those that const or enum lists, as they are written; nil if neither is there. Numbers have several spellings
// and count as not listed.
func (f fields) values() (all []string) {
	list := []json.RawMessage{f["const"]}
	if f["const"] == nil && json.Unmarshal(f["enum"], &list) != nil {
		return nil
	}
	for _, raw := range list {
		v := exactly(raw)
		if t := typeOf(v); t != "string" && t != "boolean" && t != "null" {
			return nil
		}
		all = append(all, spelled(v))
	}
	return all
}

func overlap(types, others []string) bool {
	return slices.ContainsFunc(types, func(t string) bool {
		return slices.Contains(others, t) || t == "integer" && slices.Contains(others, "number") || t == "number" && slices.Contains(others, "integer")
	})
}
