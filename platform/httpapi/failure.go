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

// Fail answers with an error in the form that belongs to the path.
func (r *Router) Fail(w http.ResponseWriter, req *http.Request, status int, message string) {
	failure := Failure{Status: status, Message: message, RequestID: log.RequestID(req.Context())}
	if s, ok := r.cfg.surfaceOf(req); ok && s.Error != nil {
		WriteJSON(w, status, "application/json", s.Error(failure))
		return
	}
	WriteJSON(w, status, "application/problem+json", newProblem(status, message, failure.RequestID))
}

// maxEcho is how many bytes of what a client sent an error repeats.
const maxEcho = 100

// Clip shortens what a client sent to what an error repeats of it.
func Clip(text string) string { return clipTo(maxEcho, text) }

func clipTo(most int, text string) string {
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
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

// isBelow tells whether the path is the prefix or lies below it.
func isBelow(path, prefix string) bool {
	rest, found := strings.CutPrefix(path, prefix)
	return found && (rest == "" || rest[0] == '/')
}
