package anthropic

import (
	"maps"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// variants are the types of a union by what their "type" says.
type variants map[string]reflect.Type

const schemas = "#/components/schemas/"

// union names a schema of one of several types, which are told apart by their "type".
func union(r huma.Registry, name string, of variants) *huma.Schema {
	if r.Map()[name] == nil {
		s := &huma.Schema{Discriminator: &huma.Discriminator{PropertyName: "type", Mapping: map[string]string{}}}
		r.Map()[name] = s
		for _, kind := range slices.Sorted(maps.Keys(of)) {
			variant := r.Schema(of[kind], true, "")
			s.OneOf = append(s.OneOf, variant)
			s.Discriminator.Mapping[kind] = variant.Ref
		}
	}
	return &huma.Schema{Ref: schemas + name}
}

// textOr is the schema of a text or of a list.
func textOr(description string, item *huma.Schema) *huma.Schema {
	return &huma.Schema{Description: description, OneOf: []*huma.Schema{
		{Type: huma.TypeString}, {Type: huma.TypeArray, Items: item},
	}}
}
