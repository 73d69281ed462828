package httpapi

import (
	"context"
	"net/http"

	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/log"
)

// Guard asks for a key with a scope on a path and all below it. Of several the longest counts.
type Guard struct {
	Prefix string
	Scope  auth.Scope
	Advice string // for those whose key lacks it; may be empty
	Acts   bool   // what may change something there is told to Config.Acted
	Open   bool   // it asks for none, below a path that does
}

// Act is a request that was admitted and may have changed something.
type Act struct {
	Key       string // its id; empty without one
	Method    string
	Path      string
	Status    int // of the answer
	RequestID string
}

// admitted serves a request that was admitted, and tells of it if it may have changed something.
func (c *Config) admitted(w http.ResponseWriter, req *http.Request, guard Guard, next http.Handler) {
	reads := req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions
	if !guard.Acts || reads || c.Acted == nil {
		next.ServeHTTP(w, req)
		return
	}
	answer := &recorder{ResponseWriter: w}
	next.ServeHTTP(answer, req)
	ctx := req.Context()
	c.Acted(context.WithoutCancel(ctx), Act{
		Key: auth.From(ctx).Key, Method: Clip(req.Method), Path: clipTo(maxPath, req.URL.EscapedPath()), Status: answer.code(), RequestID: log.RequestID(ctx),
	})
}

// maxPath is how many bytes of a path are told.
const maxPath = 1000

// guardOf is the guard of a path, if it has one.
func (c *Config) guardOf(path string) (guard Guard, guarded bool) {
	for _, g := range c.Guards {
		if isBelow(path, g.Prefix) && (!guarded || len(g.Prefix) > len(guard.Prefix)) {
			guard, guarded = g, true
		}
	}
	return guard, guarded && !guard.Open
}
