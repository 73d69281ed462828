package anthropic

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fieldsOf are the names of a type's fields in JSON.
func fieldsOf(t reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// What the document says of requests is read: every field that it names has one that a body is decoded into.
func TestEveryDescribedFieldIsRead(t *testing.T) {
	for _, c := range []struct{ described, read reflect.Type }{
		{reflect.TypeFor[messageRequest](), reflect.TypeFor[body]()},
		{reflect.TypeFor[messageParam](), reflect.TypeFor[turnBody]()},
		{reflect.TypeFor[textBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[thinkingBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[redactedThinkingBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[toolUseBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[toolResultBlockParam](), reflect.TypeFor[block]()},
		{reflect.TypeFor[toolParam](), reflect.TypeFor[tool]()},
		{reflect.TypeFor[toolChoiceAuto](), reflect.TypeFor[toolChoice]()},
		{reflect.TypeFor[metadataParam](), reflect.TypeFor[metadata]()},
		{reflect.TypeFor[cacheControlParam](), reflect.TypeFor[cacheControl]()},
	} {
		described, read := fieldsOf(c.described), fieldsOf(c.read)
		if len(described) == 0 {
			t.Errorf("%v describes nothing", c.described)
		}
		for _, name := range described {
			if !slices.Contains(read, name) {
				t.Errorf("%v describes %q, which %v does not read", c.described, name, c.read)
			}
		}
	}
}
