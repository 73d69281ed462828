package messages

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// bodyPatience is how long a client may take to send its body.
const bodyPatience = time.Minute

// body is a request as it is sent. What has several forms is decoded in a second pass. Fields that are not listed
// are accepted and have no effect.
type body struct {
	Model         *string           `json:"model"`
	Messages      []json.RawMessage `json:"messages"`
	System        json.RawMessage   `json:"system"`
	MaxTokens     *int64            `json:"max_tokens"`
	Stream        bool              `json:"stream"`
	Temperature   *float64          `json:"temperature"`
	TopP          *float64          `json:"top_p"`
	TopK          *int64            `json:"top_k"`
	MinP          *float64          `json:"min_p"`
	Seed          *int64            `json:"seed"`
	StopSequences []string          `json:"stop_sequences"`
	Metadata      *metadata         `json:"metadata"`
	Tools         []tool            `json:"tools"`
	ToolChoice    *toolChoice       `json:"tool_choice"`
	CacheControl  *cacheControl     `json:"cache_control"`
}

type metadata struct {
	UserID *string `json:"user_id"`
}

// request is a request that was found right.
type request struct {
	model        string
	conversation Conversation
	maxTokens    int
	stream       bool
	sampling     engine.Sampling
	stop         []string
	userID       string
}

// read takes a body off the connection and decodes its outer layer.
func read(w http.ResponseWriter, r *http.Request) (*body, error) {
	if err := checkHeaders(r.Header); err != nil {
		return nil, err
	}
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyPatience)) // not every connection has deadlines
	raw, err := io.ReadAll(r.Body)
	_ = connection.SetReadDeadline(time.Time{})
	if err != nil {
		return nil, readError(err)
	}
	return decode(raw)
}

func readError(err error) error {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return &invalidError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit)}
	}
	return &invalidError{http.StatusBadRequest, "the body could not be read to its end"}
}

// checkHeaders refuses API versions and body types that are not known.
func checkHeaders(h http.Header) error {
	versions := []string{"", "2023-06-01", "2026-10-21"}
	if version := h.Get("Anthropic-Version"); !slices.Contains(versions, version) {
		return invalid("anthropic-version: %q is not known; send one of %s", version, strings.Join(versions[1:], ", "))
	}
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return &invalidError{http.StatusUnsupportedMediaType, "content-type: send the body as application/json"}
	}
	return nil
}

// decode decodes the outer layer of a body.
func decode(raw []byte) (*body, error) {
	var b body
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(&b); err != nil {
		return nil, jsonError("", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("the body has something after its JSON object")
	}
	if first := bytes.TrimLeft(raw, " \t\r\n"); first[0] != '{' {
		return nil, invalid("the body is not a JSON object")
	}
	return &b, nil
}

// jsonError says what is wrong with JSON at a place in the body, without repeating what the client wrote.
func jsonError(place string, err error) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		where := cmp.Or(join(place, wrongType.Field), "body")
		return invalid("%s: %s is not valid here; expected %s", where, wrongType.Value, kindName(wrongType))
	case errors.As(err, &syntax):
		return invalid("%s: invalid JSON at byte %d: %v", join(place, "body"), syntax.Offset, syntax)
	}
	return invalid("%s: invalid JSON: %v", join(place, "body"), err)
}

func kindName(err *json.UnmarshalTypeError) string {
	switch kind := err.Type.Kind().String(); {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "slice":
		return "an array"
	case kind == "struct", kind == "map":
		return "an object"
	default:
		return "a " + kind
	}
}

func join(place, field string) string {
	return strings.Trim(place+"."+field, ".")
}

// understand checks a body and turns it into a request. temperature is for one that brings none.
func (b *body) understand(temperature float64) (*request, error) {
	if b.MaxTokens == nil {
		return nil, invalid("max_tokens: field required")
	}
	if *b.MaxTokens < 0 || *b.MaxTokens > 1<<31-1 {
		return nil, invalid("max_tokens: must be between 0 and %d", 1<<31-1)
	}
	sampling, err := b.sampling(temperature)
	if err != nil {
		return nil, err
	}
	if err := checkStops(b.StopSequences); err != nil {
		return nil, err
	}
	r, err := b.prompt()
	if err != nil {
		return nil, err
	}
	r.maxTokens, r.stream, r.sampling, r.stop = int(*b.MaxTokens), b.Stream, sampling, b.StopSequences
	return r, nil
}

// prompt checks the part of a body that makes the prompt, which is all that counting needs.
func (b *body) prompt() (*request, error) {
	r := &request{}
	if b.Model == nil || *b.Model == "" {
		return nil, invalid("model: field required")
	}
	r.model = *b.Model
	if b.Metadata != nil && b.Metadata.UserID != nil {
		r.userID = *b.Metadata.UserID
	}
	if r.userID != "" {
		if err := httpapi.CheckAgent(r.userID); err != nil {
			return nil, invalid("metadata.user_id: %v", err)
		}
	}
	conversation, err := b.conversation()
	if err != nil {
		return nil, err
	}
	r.conversation = conversation
	return r, nil
}

// sampling checks how tokens are to be chosen.
func (b *body) sampling(temperature float64) (engine.Sampling, error) {
	s := engine.Sampling{Temperature: temperature}
	for _, field := range []struct {
		name string
		from *float64
		to   *float64
	}{{"temperature", b.Temperature, &s.Temperature}, {"top_p", b.TopP, &s.TopP}, {"min_p", b.MinP, &s.MinP}} {
		if field.from == nil {
			continue
		}
		if *field.from < 0 || *field.from > 1 {
			return s, invalid("%s: must be between 0 and 1", field.name)
		}
		*field.to = *field.from
	}
	if b.TopK != nil {
		if *b.TopK < 0 || *b.TopK > 1<<31-1 {
			return s, invalid("top_k: must be between 0 and %d", 1<<31-1)
		}
		s.TopK = int(*b.TopK)
	}
	if b.Seed != nil {
		seed := uint64(*b.Seed)
		s.Seed = &seed
	}
	return s, nil
}

// checkStops refuses stop sequences that would end every answer or cost too much to look for.
func checkStops(stops []string) error {
	if len(stops) > 64 {
		return invalid("stop_sequences: has %d entries; the most is 64", len(stops))
	}
	for i, stop := range stops {
		if strings.TrimSpace(stop) == "" {
			return invalid("stop_sequences.%d: must contain something other than white space", i)
		}
		if len(stop) > 1024 {
			return invalid("stop_sequences.%d: is longer than 1024 bytes", i)
		}
	}
	return nil
}
