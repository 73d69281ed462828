// Package explain tells operators how much of a prompt is cached, in which tiers, and where and why it stops.
package explain

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// shownTokens is how many of the caller's own tokens are shown on each side of a divergence.
const shownTokens = 24

// explanation is the answer of /admin/explain.
type explanation struct {
	Tokens     int            `json:"prompt_tokens"`
	Cached     int            `json:"cached_tokens" doc:"That need not be computed; the last token of a prompt always is"`
	Respelt    bool           `json:"respelled" doc:"Whether the cached tokens spell the same text otherwise than the tokenizer does"`
	Parts      []explained    `json:"cached" nullable:"false" doc:"What they come from, in order"`
	Divergence *divergence    `json:"divergence,omitempty" doc:"Missing if all is cached"`
	Difference *difference    `json:"difference,omitempty" doc:"The first part of the request that is not what it was when the conversation was last asked about; missing if none is, or none was"`
	Missing    []explainedGap `json:"missing,omitempty" nullable:"false" doc:"Blocks of this prompt that were there: later ones still are, or they turned out damaged"`
}

type explained struct {
	From  int      `json:"from_token"`
	To    int      `json:"to_token"`
	Block string   `json:"block"`
	Tiers []string `json:"tiers" nullable:"false" doc:"That have it, the fastest first"`
	Age   float64  `json:"age_seconds" doc:"Since its last use"`
}

type explainedGap struct {
	From  int    `json:"from_token"`
	To    int    `json:"to_token"`
	Block string `json:"block"`
	Why   string `json:"why" enum:"gone,damaged" doc:"gone: given up or deleted; damaged: it failed its verification and lies in quarantine"`
}

type divergence struct {
	Token  int    `json:"token" doc:"The first token that differs, from 0"`
	Before string `json:"text_before" doc:"The caller's own text up to it"`
	After  string `json:"text_after" doc:"The caller's own text from it on"`
	Reason string `json:"reason"`
	Path   string `json:"path,omitempty" doc:"The part of the request that holds it, such as messages[7].content[1]; missing for a token of the chat template's own"`
}

// difference is where a conversation is not what it was.
type difference struct {
	Path   string `json:"path" doc:"In the request's JSON; of what was removed: in that of the request before"`
	Change string `json:"change" enum:"changed,moved,removed,added"`
	Kind   string `json:"kind" enum:"system,tools,message,thinking"`
}

// Engine looks prompts up.
type Engine interface {
	Explain(ctx context.Context, req engine.Request) (*engine.Explanation, error)
}

// Text knows the model's tokens.
type Text interface {
	NewDecoder() engine.TextDecoder
}

// Prompts reads prompts in the form of some API.
type Prompts interface {
	// Operation describes a request that is a prompt, and nothing of its answer.
	Operation() huma.Operation
	// Rendered reads such a request as one of a tenant. One that can't be had is answered.
	Rendered(w http.ResponseWriter, r *http.Request, tenant string) (rendered prompt.Rendered, origin prompt.Origin, ok bool)
	// Fail answers a request with an error.
	Fail(w http.ResponseWriter, r *http.Request, err error)
}

// Config describes the module.
type Config struct {
	Router  *httpapi.Router
	Engine  Engine
	Text    Text
	Prompts Prompts
}

// Module serves /admin/explain.
type Module struct{ cfg Config }

// Register adds /admin/explain, which takes a request in the form that the prompts are read in.
func Register(cfg Config) {
	m := &Module{cfg}
	op := cfg.Prompts.Operation()
	op.OperationID, op.Path, op.Tags = "explain", "/admin/explain", []string{"admin"}
	op.Summary = "Where a prompt stops matching what is cached, and why"
	op.Description = "The body is that of POST /v1/messages. The query parameter tenant names whose memory is meant; it is \"default\" without one."
	for status, response := range op.Responses { // beside the API's own paths errors have another form
		op.Responses[status] = httpapi.Problem(cfg.Router, response.Description)
	}
	op.Responses["200"] = &huma.Response{
		Description: "What is cached of the prompt",
		Content: map[string]*huma.MediaType{"application/json": {
			Schema: cfg.Router.API().OpenAPI().Components.Schemas.Schema(reflect.TypeFor[explanation](), true, "explanation"),
		}},
	}
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "tenant", In: "query", Description: "Whose memory is meant", Schema: &huma.Schema{Type: huma.TypeString},
	})
	cfg.Router.Handle(op, m.explain)
}

// explain answers POST /admin/explain.
func (m *Module) explain(w http.ResponseWriter, r *http.Request) {
	tenant := cmp.Or(r.URL.Query().Get("tenant"), auth.DefaultTenant)
	rendered, origin, ok := m.cfg.Prompts.Rendered(w, r, tenant)
	if !ok {
		return
	}
	found, err := m.cfg.Engine.Explain(r.Context(), engine.Request{
		Tenant: tenant, Tokens: rendered.Tokens, Answers: rendered.Answers, Spelling: rendered.Spelling,
	})
	if err != nil {
		m.cfg.Prompts.Fail(w, r, err)
		return
	}
	view := m.view(found)
	if view.Divergence != nil && slices.Equal(found.Tokens, rendered.Tokens) {
		view.Divergence.Path = origin.Path(r.Context(), view.Divergence.Token)
	}
	if path, change, kind, isKnown := origin.Difference(r.Context()); isKnown {
		view.Difference = &difference{path, change, kind}
	}
	httpapi.WriteJSON(w, http.StatusOK, "application/json", view)
}

func (m *Module) view(x *engine.Explanation) explanation {
	view := explanation{Tokens: len(x.Tokens), Cached: x.Cached, Respelt: x.Respelt, Parts: []explained{}}
	for _, b := range x.Blocks {
		age := 0.0
		if !b.Used.IsZero() {
			age = time.Since(b.Used).Seconds()
		}
		view.Parts = append(view.Parts, explained{b.From, b.To, b.Key.String(), append([]string{}, b.Tiers...), age})
	}
	for _, m := range x.Missing {
		why := "gone"
		if m.Damaged {
			why = "damaged"
		}
		view.Missing = append(view.Missing, explainedGap{m.From, m.To, m.Key.String(), why})
	}
	if x.Diverges >= 0 {
		view.Divergence = &divergence{
			Token:  x.Diverges,
			Before: m.textOf(x.Tokens[max(0, x.Diverges-shownTokens):x.Diverges]),
			After:  m.textOf(x.Tokens[x.Diverges:min(len(x.Tokens), x.Diverges+shownTokens)]),
			Reason: reasonOf(x),
		}
	}
	return view
}

func reasonOf(x *engine.Explanation) string {
	switch {
	case len(x.Missing) > 0 && x.Missing[0].From <= x.Diverges && x.Missing[0].Damaged:
		return "the block that holds this token was damaged: it lies in quarantine, and its tokens are computed anew"
	case len(x.Missing) > 0 && x.Missing[0].From <= x.Diverges:
		return "the block that holds this token is in no tier any more: it was given up or deleted"
	case x.Nearest > 0:
		return "the nearest cached sequence goes on with other tokens here"
	case x.Cached == 0:
		return "no cached sequence begins like this prompt"
	}
	return "the cached sequence ends here"
}

func (m *Module) textOf(tokens []int32) string {
	var text strings.Builder
	decoder := m.cfg.Text.NewDecoder()
	for _, token := range tokens {
		text.WriteString(decoder.Push(token))
	}
	text.WriteString(decoder.Flush())
	return text.String()
}
