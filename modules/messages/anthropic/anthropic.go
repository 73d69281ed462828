// Package anthropic is the surface of Anthropic's Messages API: its types, its form of errors, its words for why an
// answer ended, its headers and its limits.
package anthropic

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"github.com/danielgtaylor/huma/v2"
)

const (
	// MaxBody is the most bytes of a request's body, as on Anthropic's own service.
	MaxBody = 32 << 20
	// RequestIDHeader is the header in which its clients look for a request's id.
	RequestIDHeader = "Request-Id"
	callPrefix      = "toolu_" // of the ids of calls
	// ModelAlias are the ids that any of its clients may send: they stand for the loaded model.
	ModelAlias = "claude-*"
)

// Config describes the surface.
type Config struct {
	Router  *httpapi.Router
	Service *messages.Service
	// KeepAttribution leaves the line in prompts by which Claude Code tells its version, though it changes all the time.
	KeepAttribution bool
	Log             *slog.Logger
}

// API serves the Messages API.
type API struct {
	cfg              Config
	tellsAttribution sync.Once
}

// Register adds the surface's operations to the router.
func Register(cfg Config) *API {
	a := &API{cfg: cfg}
	cfg.Router.Handle(createOperation(a.schemas()), a.create)
	cfg.Router.Handle(countOperation(a.schemas()), a.count)
	return a
}

// Surface is what the paths of the API have of their own.
func Surface() httpapi.Surface {
	return httpapi.Surface{
		Prefix: "/v1/messages", Error: errorOf, Pace: pace,
		Exposed: []string{limitHeader, remainingHeader, resetHeader, messages.DivergenceHeader},
	}
}

const (
	limitHeader     = "Anthropic-Ratelimit-Requests-Limit"
	remainingHeader = "Anthropic-Ratelimit-Requests-Remaining"
	resetHeader     = "Anthropic-Ratelimit-Requests-Reset"
)

// pace sets the headers by which clients pace themselves.
func pace(h http.Header, d ratelimit.Decision) {
	h.Set(limitHeader, strconv.Itoa(d.Limit))
	h.Set(remainingHeader, strconv.Itoa(d.Remaining))
	h.Set(resetHeader, d.Reset.UTC().Format(time.RFC3339))
}

// create answers POST /v1/messages.
func (a *API) create(w http.ResponseWriter, r *http.Request) {
	var stream bool
	req, ok := a.take(w, r, func(b *body) (*messages.Request, error) {
		stream = b.Stream
		return b.understand(a.cfg.Service.Temperature())
	})
	if !ok {
		return
	}
	answer, err := a.cfg.Service.Submit(r.Context(), req)
	if err != nil {
		a.Fail(w, r, err)
		return
	}
	defer answer.Close()
	message := &writing{Answer: answer, id: newMessageID(), model: req.Model}
	if stream {
		a.stream(w, r, message)
		return
	}
	a.whole(w, r, message)
}

// count answers POST /v1/messages/count_tokens.
func (a *API) count(w http.ResponseWriter, r *http.Request) {
	if rendered, _, ok := a.Rendered(w, r, ""); ok {
		httpapi.WriteJSON(w, http.StatusOK, "application/json", counted{len(rendered.Tokens)})
	}
}

func (a *API) schemas() huma.Registry { return a.cfg.Router.API().OpenAPI().Components.Schemas }

// Operation describes a request in the form of count_tokens.
func (a *API) Operation() huma.Operation { return countOperation(a.schemas()) }

// Rendered reads the prompt of a request in the form of count_tokens, of a tenant or, with "", of the key's. A request
// that can't be had is answered.
func (a *API) Rendered(w http.ResponseWriter, r *http.Request, tenant string) (rendered prompt.Rendered, origin prompt.Origin, ok bool) {
	req, ok := a.take(w, r, func(b *body) (*messages.Request, error) {
		req, err := b.prompt()
		if err == nil {
			req.Tenant, req.PromptOnly = tenant, true
		}
		return req, err
	})
	if !ok {
		return rendered, nil, false
	}
	return req.Prompt, a.cfg.Service.Origin(req), true
}

// take reads a request and renders its prompt. A request that can't be had is answered.
func (a *API) take(w http.ResponseWriter, r *http.Request, understand func(*body) (*messages.Request, error)) (*messages.Request, bool) {
	fail := func(err error) { a.Fail(w, r, err) }
	if err := checkVersion(r.Header); err != nil {
		fail(err)
		return nil, false
	}
	return a.cfg.Service.Take(w, r, fail, func(raw []byte) (*messages.Request, error) {
		decoded := body{keepsAttribution: a.cfg.KeepAttribution}
		if err := messages.Decode(raw, &decoded); err != nil {
			return nil, err
		}
		req, err := understand(&decoded)
		if decoded.hadAttribution {
			a.tellsAttribution.Do(a.tellAttribution)
		}
		return req, err
	})
}

// tellAttribution logs, once, that prompts differ from what clients send.
func (a *API) tellAttribution() {
	a.cfg.Log.Info("attribution_left_out",
		"note", "the line "+attribution+" at the head of system prompts changes from turn to turn and is left out; SEMANTIC_SERVER_KEEP_ATTRIBUTION keeps it")
}

// whole answers with one JSON object.
func (a *API) whole(w http.ResponseWriter, r *http.Request, m *writing) {
	blocks, err := m.Blocks(r.Context())
	if err != nil {
		a.Fail(w, r, err)
		return
	}
	httpapi.WriteJSON(w, http.StatusOK, "application/json", m.message(blocks))
}
