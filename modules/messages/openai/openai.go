// Package openai is the surface of OpenAI's API: chat completions, responses, continuations of texts and the list of models, with its types, its form of errors,
// its words for why an answer ended and its headers.
package openai

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
)

const callPrefix = "call_" // of the ids of calls

// Config describes the surface.
type Config struct {
	Router  *httpapi.Router
	Service *messages.Service
	Clock   func() time.Time // time.Now
	Log     *slog.Logger
}

// API serves OpenAI's API.
type API struct{ cfg Config }

// Register adds the surface's operations to the router.
func Register(cfg Config) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	a := &API{cfg}
	schemas := cfg.Router.API().OpenAPI().Components.Schemas
	cfg.Router.Handle(chatOperation(schemas), a.chat)
	cfg.Router.Handle(completionOperation(schemas), a.goOn)
	cfg.Router.Handle(responseOperation(schemas), a.respond)
	cfg.Router.Handle(listModelsOperation(schemas), a.listModels)
	one := getModelOperation(schemas)
	cfg.Router.Handle(one, a.getModel)
	one.Path, one.Hidden = "/v1/models/{id...}", true // an id may have slashes
	cfg.Router.Handle(one, a.getModel)
}

// Surfaces are the paths of OpenAI's API, those included at which nothing answers: its clients understand that, too.
func Surfaces() (all []httpapi.Surface) {
	for _, path := range []string{"/v1/chat", "/v1/completions", "/v1/responses", "/v1/models", "/v1/embeddings"} {
		all = append(all, httpapi.Surface{
			Prefix: path, Error: bodyOf, Pace: pace, Exposed: []string{limitHeader, remainingHeader, resetHeader, messages.DivergenceHeader},
		})
	}
	return all
}

const (
	limitHeader     = "X-Ratelimit-Limit-Requests"
	remainingHeader = "X-Ratelimit-Remaining-Requests"
	resetHeader     = "X-Ratelimit-Reset-Requests"
)

// pace sets the headers by which clients pace themselves.
func pace(h http.Header, d ratelimit.Decision) {
	h.Set(limitHeader, strconv.Itoa(d.Limit))
	h.Set(remainingHeader, strconv.Itoa(d.Remaining))
	h.Set(resetHeader, max(0, time.Until(d.Reset)).Round(time.Millisecond).String())
}

// chat answers POST /v1/chat/completions.
func (a *API) chat(w http.ResponseWriter, r *http.Request) {
	var b chatBody
	fail := func(err error) { a.fail(w, r, err) }
	req, ok := a.cfg.Service.Take(w, r, fail, func(raw []byte) (*messages.Request, error) {
		if err := messages.Decode(raw, &b); err != nil {
			return nil, err
		}
		return b.understand(a.cfg.Service.Temperature())
	})
	if !ok {
		return
	}
	all, err := a.submit(r.Context(), req, b.choices())
	defer all.close()
	if err != nil {
		fail(err)
		return
	}
	if b.Stream {
		a.stream(w, r, all, b.StreamOptions.wantsUsage())
		return
	}
	whole, err := all.whole(r.Context())
	if err != nil {
		fail(err)
		return
	}
	httpapi.WriteJSON(w, http.StatusOK, "application/json", whole)
}
