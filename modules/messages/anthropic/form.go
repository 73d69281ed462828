package anthropic

import (
	"encoding/json"

	"github.com/agent-memory/agent-memory/modules/messages"
)

// outputConfig says how the answer is to be. Of its fields only the form can't be left aside.
type outputConfig struct {
	Format json.RawMessage `json:"format"`
}

// checkAt refuses a form in a turn: an answer has one, which the request names.
func (o *outputConfig) checkAt(place string) error {
	if o == nil || messages.IsAbsent(o.Format) {
		return nil
	}
	return invalid("%s.format: a form can't change between turns; send it as the request's output_config.format", place)
}

// form is what the answer is held to; nil for any text.
func (b *body) form() (*messages.Form, error) {
	raw, place := b.OutputFormat, "output_format"
	if b.OutputConfig != nil && !messages.IsAbsent(b.OutputConfig.Format) {
		raw, place = b.OutputConfig.Format, "output_config.format"
	}
	if messages.IsAbsent(raw) {
		return nil, nil
	}
	var sent struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"`
	}
	if err := messages.Fill(place, raw, &sent); err != nil {
		return nil, err
	}
	switch {
	case sent.Type != "json_schema":
		return nil, invalid("%s.type: must be \"json_schema\"", place)
	case !messages.IsObject(sent.Schema):
		return nil, invalid("%s.schema: must be a JSON schema object", place)
	}
	return &messages.Form{Schema: sent.Schema, Place: place + ".schema"}, nil
}
