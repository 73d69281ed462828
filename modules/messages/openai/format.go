package openai

import (
	"encoding/json"

	"github.com/agent-memory/agent-memory/mlx/grammar"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// responseFormat is the form that an answer is to have, as it is sent.
type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema *struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

const schemaPlace = "response_format.json_schema.schema"

// form is what the answer is held to, with strict or without; nil for any text.
func (f *responseFormat) form() (*messages.Form, error) {
	switch {
	case f == nil || f.Type == "text":
		return nil, nil
	case f.Type != "json_object" && f.Type != "json_schema":
		return nil, invalid("response_format.type: must be \"text\", \"json_object\" or \"json_schema\"")
	case f.Type == "json_object":
		return &messages.Form{Schema: []byte(grammar.AnyObject), Place: "response_format"}, nil
	case f.JSONSchema == nil || messages.IsAbsent(f.JSONSchema.Schema):
		return nil, invalid("%s: field required", schemaPlace)
	case !messages.IsObject(f.JSONSchema.Schema):
		return nil, invalid("%s: must be a JSON schema object", schemaPlace)
	}
	return &messages.Form{Schema: f.JSONSchema.Schema, Place: schemaPlace}, nil
}
