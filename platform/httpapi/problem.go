package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/agent-memory/agent-memory/platform/exact"
	"github.com/agent-memory/agent-memory/platform/log"
	"github.com/danielgtaylor/huma/v2"
)

// problem is an error in the form of RFC 9457.
type problem struct {
	Type      string              `json:"type"`
	Title     string              `json:"title"`
	Status    int                 `json:"status"`
	Detail    string              `json:"detail"`
	Errors    []*huma.ErrorDetail `json:"errors,omitempty"`
	RequestID string              `json:"request_id,omitempty"`
}

func newProblem(status int, detail, requestID string) problem {
	title := http.StatusText(status)
	if title == "" {
		title = "Error"
	}
	return problem{Type: "about:blank", Title: title, Status: status, Detail: detail, RequestID: requestID}
}

// complete gives the errors of described operations what all errors have: the request's id, and nothing long
// that the client sent.
func complete(ctx huma.Context, _ string, value any) (any, error) {
	model, ok := value.(*huma.ErrorModel)
	if !ok {
		return value, nil
	}
	p := newProblem(model.Status, model.Detail, log.RequestID(ctx.Context()))
	for _, e := range model.Errors {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Message: Clip(e.Message), Location: Clip(e.Location), Value: echo(e.Value)})
	}
	return p, nil
}

// echo returns a value of the client's if it is short enough to be repeated, else nil.
func echo(value any) any {
	if len(fmt.Sprint(value)) > maxEcho {
		return nil
	}
	return value
}

// formats read JSON as it is written.
func formats() map[string]huma.Format {
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: func(raw []byte, into any) error {
		if err := exact.Check(raw); err != nil {
			return err
		}
		if value, ok := into.(*any); ok { // what is checked against the schema
			return json.Unmarshal(raw, value)
		}
		return exact.Fill(raw, into)
	}}
	return map[string]huma.Format{"application/json": format, "json": format}
}

// describeProblems makes the described form of errors the one that is sent.
func (r *Router) describeProblems() {
	if schema := r.api.OpenAPI().Components.Schemas.Map()["ErrorModel"]; schema != nil {
		schema.Properties["request_id"] = &huma.Schema{Type: huma.TypeString, Description: "The id of the request, which its log lines have too"}
	}
}

// Problem is an error in the form of RFC 9457, for the description of an operation.
func Problem(r *Router, description string) *huma.Response {
	schema := r.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "ErrorModel")
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}
}
