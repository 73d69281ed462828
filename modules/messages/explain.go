package messages

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
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
	Parts      []explained    `json:"cached" doc:"What they come from, in order"`
	Divergence *divergence    `json:"divergence,omitempty" doc:"Missing if all is cached"`
	Missing    []explainedGap `json:"missing,omitempty" doc:"Blocks of this prompt that were there: later ones still are, or they turned out damaged"`
}

type explained struct {
	From  int      `json:"from_token"`
	To    int      `json:"to_token"`
	Block string   `json:"block"`
	Tiers []string `json:"tiers" doc:"That have it, the fastest first"`
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
}

// registerExplain adds /admin/explain, which takes a request of the Messages API.
func (m *Module) registerExplain() {
	op := countOperation()
	op.OperationID, op.Path, op.Tags = "explain", "/admin/explain", []string{"admin"}
	op.Summary = "Where a prompt stops matching what is cached, and why"
	op.Description = "The body is that of POST /v1/messages. The query parameter tenant names whose memory is meant; it is \"default\" without one."
	op.Responses = map[string]*huma.Response{"200": {
		Description: "What is cached of the prompt",
		Content: map[string]*huma.MediaType{"application/json": {
			Schema: m.cfg.Router.API().OpenAPI().Components.Schemas.Schema(reflect.TypeFor[explanation](), true, "explanation"),
		}},
	}}
	m.cfg.Router.Handle(op, m.explain)
}

// explain answers POST /admin/explain.
func (m *Module) explain(w http.ResponseWriter, r *http.Request) {
	prompt, ok := m.explainedPrompt(w, r)
	if !ok {
		return
	}
	tenant := r.URL.Query().Get("tenant")
	if tenant == "" {
		tenant = auth.DefaultTenant
	}
	found, err := m.cfg.Engine.Explain(r.Context(), engine.Request{Tenant: tenant, Tokens: prompt.Tokens, Spelling: m.cfg.Prompter.Spelling()})
	if err != nil {
		m.fail(w, r, err)
		return
	}
	httpapi.WriteJSON(w, http.StatusOK, "application/json", m.explainView(found))
}

func (m *Module) explainedPrompt(w http.ResponseWriter, r *http.Request) (prompt Prompt, ok bool) {
	sent, err := read(w, r)
	var asked *request
	if err == nil {
		asked, err = sent.prompt()
	}
	if err == nil {
		prompt, err = m.render(context.WithoutCancel(r.Context()), asked)
	}
	if err != nil {
		m.fail(w, r, err)
	}
	return prompt, err == nil
}

func (m *Module) explainView(x *engine.Explanation) explanation {
	view := explanation{Tokens: len(x.Tokens), Cached: x.Cached, Respelt: x.Respelt, Parts: []explained{}}
	for _, part := range x.Blocks {
		age := 0.0
		if !part.Used.IsZero() {
			age = time.Since(part.Used).Seconds()
		}
		view.Parts = append(view.Parts, explained{part.From, part.To, part.Key.String(), part.Tiers, age})
	}
	for _, gap := range x.Missing {
		why := "gone"
		if gap.Damaged {
			why = "damaged"
		}
		view.Missing = append(view.Missing, explainedGap{gap.From, gap.To, gap.Key.String(), why})
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
	decoder := m.cfg.Prompter.NewDecoder()
	for _, token := range tokens {
		text.WriteString(decoder.Push(token))
	}
	text.WriteString(decoder.Flush())
	return text.String()
}
