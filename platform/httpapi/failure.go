package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/agent-memory/agent-memory/platform/log"
)

// Failure is an error on its way to a client.
type Failure struct {
	Status    int
	Message   string
	RequestID string
}

// Envelope is the form of errors below a path.
type Envelope struct {
	Prefix string            // of the path, e.g. "/v1/messages"
	Body   func(Failure) any // what is sent as JSON
}

// Fail answers with an error in the form that belongs to the path.
func (r *Router) Fail(w http.ResponseWriter, req *http.Request, status int, message string) {
	failure := Failure{Status: status, Message: message, RequestID: log.RequestID(req.Context())}
	for _, envelope := range r.cfg.Envelopes {
		if under(req.URL.Path, envelope.Prefix) {
			WriteJSON(w, status, "application/json", envelope.Body(failure))
			return
		}
	}
	WriteJSON(w, status, "application/problem+json", problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: message, RequestID: failure.RequestID,
	})
}

// problem is an error in the form of RFC 9457.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id,omitempty"`
}

// WriteJSON answers with a value as JSON.
func WriteJSON(w http.ResponseWriter, status int, contentType string, value any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // the client is gone: nobody is left to tell
}

// under tells whether the path is the prefix or lies below it.
func under(path, prefix string) bool {
	rest, found := strings.CutPrefix(path, prefix)
	return found && (rest == "" || rest[0] == '/')
}
