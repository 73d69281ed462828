package messagestest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// Described checks whether a text is what the document says of a schema.
func Described(t *testing.T, schemas huma.Registry, name, text string, want bool) {
	t.Helper()
	schema := schemas.Map()[name]
	if schema == nil {
		t.Fatalf("the document has no %s", name)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	result := &huma.ValidateResult{}
	huma.Validate(schemas, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
	if (len(result.Errors) == 0) != want {
		t.Errorf("%s is a %s: %v, want %v: %v", text, name, !want, want, result.Errors)
	}
}

// DescribedFieldIsRead checks that every field that the document names of one type has one of another type into which bodies
// are decoded.
func DescribedFieldIsRead(t *testing.T, described, read reflect.Type) {
	t.Helper()
	names := fieldsOf(described)
	if len(names) == 0 {
		t.Errorf("%v describes nothing", described)
	}
	for _, name := range names {
		if !slices.Contains(fieldsOf(read), name) {
			t.Errorf("%v describes %q, which %v does not read", described, name, read)
		}
	}
}

// fieldsOf are the names of a type's fields in JSON.
func fieldsOf(t reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
