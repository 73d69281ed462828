// Package httpapi is the HTTP side that all modules share: a router that documents its routes as OpenAPI, and
// around it request ids, error envelopes, metrics, the log, CORS, keys and rate limits.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// DefaultMaxBody is the most bytes of a request's body where nothing else is set.
const DefaultMaxBody = 1 << 20

// Config describes a router.
type Config struct {
	Title, Version string
	Description    string
	CORSOrigins    []string
	LoopbackOnly   bool   // answer 403 to a Host or Origin that is not this machine
	OpenBy         string // the setting that lets others in, for those who get that 403
	MaxBody        int64  // 0 means DefaultMaxBody
	Keys           *auth.Authenticator
	Guards         []Guard // what needs a key; what no guard covers needs none
	// Acted is told of requests that may have changed something, where a guard asks for it. It may be nil.
	Acted  func(context.Context, Act)
	Limits *ratelimit.Limiter
	// Caller returns the name by which a request's headers say who calls, or "", beside its key: each has a
	// rate limit of its own. It may be nil.
	Caller    func(*http.Request) (string, error)
	IDHeaders []string // names of headers that carry a request's id beside X-Request-Id
	Surfaces  []Surface
	Log       *slog.Logger
	Observe   func(method, route string, status int, took time.Duration) // may be nil
	// Trace begins the span of a request; what it returns ends it. Nil: nothing is traced.
	Trace func(r *http.Request, route string) (ctx context.Context, end func(status int))
}

// Router holds the routes of all modules.
type Router struct {
	cfg Config
	mux *http.ServeMux
	api huma.API

	descriptionMu sync.Mutex // the document is completed while it is written
}

// New returns a router with the routes of the API's own description: /openapi.json, /openapi.yaml and /docs.
func New(cfg Config) *Router {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Caller == nil {
		cfg.Caller = func(*http.Request) (string, error) { return "", nil }
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, int, time.Duration) {}
	}
	mux := http.NewServeMux()
	r := &Router{cfg: cfg, mux: mux, api: humago.New(mux, describe(cfg))}
	r.serveDescription()
	return r
}

// describe is the frame of the OpenAPI document.
func describe(cfg Config) huma.Config {
	frame := huma.DefaultConfig(cfg.Title, cfg.Version)
	frame.CreateHooks = nil // no $schema links in bodies
	frame.Formats, frame.Transformers = formats(), []huma.Transformer{complete}
	frame.OpenAPIPath, frame.DocsPath, frame.SchemasPath = "", "", ""
	frame.Info.Description = cfg.Description
	frame.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey": {Type: "apiKey", In: "header", Name: "x-api-key"},
		"bearer": {Type: "http", Scheme: "bearer"},
	}
	return frame
}

// API is where modules register their operations.
func (r *Router) API() huma.API { return r.api }

// Handle documents an operation and serves it with a plain handler, which answers errors in its own form.
func (r *Router) Handle(op huma.Operation, handler http.HandlerFunc) {
	if !op.Hidden {
		r.api.OpenAPI().AddOperation(&op)
	}
	path := op.Path
	if path == "/" {
		path = "/{$}" // the root alone, not all below it
	}
	r.mux.HandleFunc(op.Method+" "+path, handler)
}

// Handler is the whole HTTP side: the routes with all that is around them.
func (r *Router) Handler() http.Handler {
	var h http.Handler = http.HandlerFunc(r.route)
	h = r.limitBody(h)
	h = r.refuseEncoded(h)
	h = r.limitRate(h)
	h = r.requireKey(h)
	h = r.allowOrigins(h)
	h = r.refuseStrangers(h)
	h = r.recoverPanics(h)
	h = r.observe(h)
	h = trace(r.cfg.Trace, r.template, h)
	return r.identify(h)
}

// route serves a request, and answers for the mux what it knows no route for.
func (r *Router) route(w http.ResponseWriter, req *http.Request) {
	handler, pattern := r.mux.Handler(req)
	if pattern != "" {
		r.mux.ServeHTTP(w, req)
		return
	}
	answer := &discardedAnswer{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(answer, req)
	if allow := answer.header.Get("Allow"); answer.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allow)
		r.Fail(w, req, http.StatusMethodNotAllowed, "method "+Clip(req.Method)+" is not allowed here; allowed are "+allow)
		return
	}
	r.Fail(w, req, http.StatusNotFound, "there is nothing at "+Clip(req.URL.Path))
}

// template is the route's path as registered, for metrics and the log.
func (r *Router) template(req *http.Request) string {
	_, pattern := r.mux.Handler(req)
	if pattern == "" {
		return "unmatched"
	}
	if _, path, found := strings.Cut(pattern, " "); found {
		pattern = path
	}
	return strings.TrimSuffix(pattern, "{$}")
}

// discardedAnswer takes the mux's plain answer, which is not sent.
type discardedAnswer struct {
	header http.Header
	status int
}

func (d *discardedAnswer) Header() http.Header         { return d.header }
func (d *discardedAnswer) Write(p []byte) (int, error) { return len(p), nil }
func (d *discardedAnswer) WriteHeader(status int)      { d.status = status }
