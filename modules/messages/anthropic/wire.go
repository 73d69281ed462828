package anthropic

import (
	"encoding/json"
	"reflect"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// The types of answers, as they are sent and as the OpenAPI document names them.
type (
	message struct {
		ID           string        `json:"id"`
		Type         string        `json:"type" enum:"message"`
		Role         string        `json:"role" enum:"assistant"`
		Model        string        `json:"model"`
		Content      []answerBlock `json:"content" nullable:"false"`
		StopReason   *string       `json:"stop_reason" enum:"end_turn,max_tokens,stop_sequence,tool_use,model_context_window_exceeded" nullable:"true"`
		StopSequence *string       `json:"stop_sequence" nullable:"true" doc:"The stop sequence that was found"`
		Usage        usage         `json:"usage"`
	}
	textBlock struct {
		Type string `json:"type" enum:"text"`
		Text string `json:"text"`
	}
	thinkingBlock struct {
		Type      string `json:"type" enum:"thinking"`
		Thinking  string `json:"thinking"`
		Signature string `json:"signature" doc:"To be sent back as it is"`
	}
	toolUseBlock struct {
		Type  string `json:"type" enum:"tool_use"`
		ID    string `json:"id"`
		Name  string `json:"name"`
		Input object `json:"input"`
	}
	textDelta struct {
		Type string `json:"type" enum:"text_delta"`
		Text string `json:"text"`
	}
	thinkingDelta struct {
		Type     string `json:"type" enum:"thinking_delta"`
		Thinking string `json:"thinking"`
	}
	signatureDelta struct {
		Type      string `json:"type" enum:"signature_delta"`
		Signature string `json:"signature"`
	}
	inputJSONDelta struct {
		Type        string `json:"type" enum:"input_json_delta"`
		PartialJSON string `json:"partial_json" doc:"The deltas of a block, joined, are its input"`
	}
	// usage counts tokens. The three parts of the input are disjoint and add up to the prompt.
	usage struct {
		Input         int `json:"input_tokens" minimum:"0" doc:"Computed, after the last cache_control breakpoint"`
		CacheCreation int `json:"cache_creation_input_tokens" minimum:"0" doc:"Computed, up to the last cache_control breakpoint"`
		CacheRead     int `json:"cache_read_input_tokens" minimum:"0" doc:"Read from a tier of the cache"`
		Output        int `json:"output_tokens" minimum:"0" doc:"Generated"`
	}
	// counted is the answer of count_tokens.
	counted struct {
		InputTokens int `json:"input_tokens" minimum:"0" doc:"Tokens of the prompt"`
	}
)

// The events of a stream, in the order of their sending.
type (
	messageStartEvent struct {
		Type    string  `json:"type" enum:"message_start"`
		Message message `json:"message"`
	}
	pingEvent struct {
		Type string `json:"type" enum:"ping"`
	}
	contentBlockStartEvent struct {
		Type  string      `json:"type" enum:"content_block_start"`
		Index int         `json:"index" minimum:"0"`
		Block answerBlock `json:"content_block"`
	}
	contentBlockDeltaEvent struct {
		Type  string `json:"type" enum:"content_block_delta"`
		Index int    `json:"index" minimum:"0"`
		Delta delta  `json:"delta"`
	}
	contentBlockStopEvent struct {
		Type  string `json:"type" enum:"content_block_stop"`
		Index int    `json:"index" minimum:"0"`
	}
	messageDeltaEvent struct {
		Type  string     `json:"type" enum:"message_delta"`
		Delta stopFields `json:"delta"`
		Usage usage      `json:"usage"`
	}
	messageStopEvent struct {
		Type string `json:"type" enum:"message_stop"`
	}
	stopFields struct {
		StopReason   *string `json:"stop_reason" nullable:"true"`
		StopSequence *string `json:"stop_sequence" nullable:"true"`
	}
	// messagesError is Anthropic's form of an error, as an answer and as an event.
	messagesError struct {
		Type      string              `json:"type" enum:"error"`
		Error     messagesErrorDetail `json:"error"`
		RequestID string              `json:"request_id"`
	}
	messagesErrorDetail struct {
		Type    string `json:"type" enum:"invalid_request_error,authentication_error,permission_error,not_found_error,request_too_large,rate_limit_error,api_error,overloaded_error"`
		Message string `json:"message"`
	}
)

// answerBlock is a textBlock, a thinkingBlock or a toolUseBlock.
type answerBlock struct{ block any }

// MarshalJSON implements json.Marshaler.
func (b answerBlock) MarshalJSON() ([]byte, error) { return json.Marshal(b.block) }

// Schema implements huma.SchemaProvider.
func (answerBlock) Schema(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "AnswerBlock", "type", httpapi.Variants{
		"text": reflect.TypeFor[textBlock](), "thinking": reflect.TypeFor[thinkingBlock](), "tool_use": reflect.TypeFor[toolUseBlock](),
	})
}

// delta is what a block grows by.
type delta struct{ delta any }

// MarshalJSON implements json.Marshaler.
func (d delta) MarshalJSON() ([]byte, error) { return json.Marshal(d.delta) }

// Schema implements huma.SchemaProvider.
func (delta) Schema(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "Delta", "type", httpapi.Variants{
		"text_delta": reflect.TypeFor[textDelta](), "input_json_delta": reflect.TypeFor[inputJSONDelta](),
		"thinking_delta": reflect.TypeFor[thinkingDelta](), "signature_delta": reflect.TypeFor[signatureDelta](),
	})
}

// streamEvent is what follows data: in a stream.
type streamEvent struct{}

// Schema implements huma.SchemaProvider.
func (streamEvent) Schema(r huma.Registry) *huma.Schema {
	return httpapi.UnionSchema(r, "StreamEvent", "type", httpapi.Variants{
		"message_start": reflect.TypeFor[messageStartEvent](), "ping": reflect.TypeFor[pingEvent](),
		"content_block_start": reflect.TypeFor[contentBlockStartEvent](), "content_block_delta": reflect.TypeFor[contentBlockDeltaEvent](),
		"content_block_stop": reflect.TypeFor[contentBlockStopEvent](), "message_delta": reflect.TypeFor[messageDeltaEvent](),
		"message_stop": reflect.TypeFor[messageStopEvent](), "error": reflect.TypeFor[messagesError](),
	})
}

// object is an object of JSON, as it was written.
type object json.RawMessage

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// Schema implements huma.SchemaProvider.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}
