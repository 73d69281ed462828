package httpapi

import (
	"maps"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// Variants are the types of a union by what its discriminating field says.
type Variants map[string]reflect.Type

const schemas = "#/components/schemas/"

// NamedSchema is the named schema of a type.
func NamedSchema[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// UnionSchema names a schema of one of several types, which are told apart by a field.
func UnionSchema(r huma.Registry, name, field string, of Variants) *huma.Schema {
	if r.Map()[name] == nil {
		s := &huma.Schema{Discriminator: &huma.Discriminator{PropertyName: field, Mapping: map[string]string{}}}
		r.Map()[name] = s
		for _, kind := range slices.Sorted(maps.Keys(of)) {
			variant := r.Schema(of[kind], true, "")
			if !slices.Contains(slices.Collect(maps.Values(s.Discriminator.Mapping)), variant.Ref) { // a type may have several names
				s.OneOf = append(s.OneOf, variant)
			}
			s.Discriminator.Mapping[kind] = variant.Ref
		}
	}
	return &huma.Schema{Ref: schemas + name}
}

// TextOrList is the schema of a text or of a list.
func TextOrList(description string, item *huma.Schema) *huma.Schema {
	return &huma.Schema{Description: description, OneOf: []*huma.Schema{
		{Type: huma.TypeString}, {Type: huma.TypeArray, Items: item},
	}}
}
