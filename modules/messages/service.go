// Package messages answers conversations: the core that the surfaces of the APIs share. It knows no wire format. A
// surface, in a folder of its own, reads its API's requests into a Request, and writes an Answer's events and what went
// wrong in its API's form.
package messages

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
	"github.com/agent-memory/agent-memory/modules/messages/divergence"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"go.opentelemetry.io/otel/trace"
)

// Engine answers requests.
type Engine interface {
	Submit(ctx context.Context, req engine.Request) (*engine.Stream, error)
	Spec() engine.Spec
	// Absence tells why no model is loaded; it is nil while one is.
	Absence() error
	// Await waits while a model is swapped for which requests are to wait.
	Await(ctx context.Context)
}

// Renderer turns conversations into the model's own tokens, and its tokens into text.
type Renderer interface {
	// Render renders a conversation. It returns a *prompt.RefusedError for one that the model's chat template can't express,
	// an *engine.TooLongError for one of more tokens than its Most, and ctx's error if that ends first.
	Render(ctx context.Context, c prompt.Conversation) (prompt.Rendered, error)
	// Plain turns a text into the prompt that goes on with it, without a template. Its errors are those of Render.
	Plain(ctx context.Context, text string, most int) (prompt.Rendered, error)
	// Diverge returns the first byte in which the prompts of two conversations differ, or -1.
	Diverge(ctx context.Context, a, b prompt.Conversation) (int, error)
	// NewDecoder returns a decoder for one answer.
	NewDecoder() engine.TextDecoder
	// Spelling knows the ways in which tokens spell a text, or is nil.
	Spelling() prefix.Spelling
}

// Limiter counts a request for the caller that its body names, and answers those that are too many.
type Limiter interface {
	LimitCaller(w http.ResponseWriter, r *http.Request, caller string) bool
}

// Switch has models loaded that requests name.
type Switch interface {
	// Enter returns once the model that a client names is loaded, which then stays until ctx ends; "" stands for whichever is
	// loaded. It returns fs.ErrNotExist for a name of none, and otherwise errors of the engine.
	Enter(ctx context.Context, name string) error
}

// Config describes a service.
type Config struct {
	Engine   Engine
	Renderer Renderer
	Limiter  Limiter
	// Temperature is that of requests that bring none.
	Temperature float64
	Aliases     []string // model ids that stand for the loaded model besides its own; a * at the end is any ending
	AnyModel    bool     // any id stands for the loaded model
	// Switch, if set, has models loaded by their ids.
	Switch Switch
	// Others, if set, are the models that Switch could load: their ids and contexts.
	Others func() []engine.Spec
	Log    *slog.Logger
	// Worked, if set, is told of an agent that another one works for: it will go on when that is done.
	Worked func(tenant, parent string)
	// Sign returns a tenant's keyed digest of a text. Nil: thoughts have no signatures.
	Sign func(tenant, text string) []byte
	// Diverged, if set, is told of conversations that were read before and differ now.
	Diverged func(divergence.Kind)
}

// Service answers the requests of all surfaces.
type Service struct {
	cfg    Config
	intake *intake
	recall *recall
	forms  *forms

	outlines *divergence.Memory
}

// New returns a service.
func New(cfg Config) *Service {
	return &Service{cfg, newIntake(), newRecall(), newForms(), divergence.NewMemory()}
}

// Temperature is that of requests that bring none.
func (s *Service) Temperature() float64 { return s.cfg.Temperature }

// Model is the loaded model; it has no name while there is none.
func (s *Service) Model() engine.Spec { return s.cfg.Engine.Spec() }

// Absence tells why there is no model.
func (s *Service) Absence() error { return cmp.Or(s.cfg.Engine.Absence(), engine.ErrStarting) } // one may have come meanwhile

// Aliases are the ids that stand for the loaded model besides its own; a * at the end is any ending.
func (s *Service) Aliases() []string { return s.cfg.Aliases }

// Submit hands a request that Take returned to the engine. The answer must be closed.
func (s *Service) Submit(ctx context.Context, req *Request) (*Answer, error) {
	request := engine.Request{
		ID:         req.ID,
		Tenant:     req.Tenant,
		Agent:      req.Agent,
		Model:      req.spec.Fingerprint,
		Tokens:     req.Prompt.Tokens,
		Answers:    req.Prompt.Answers,
		Marked:     req.Prompt.Marked,
		MaxTokens:  req.MaxTokens,
		Sampling:   req.Sampling,
		Stop:       req.Stop,
		NewDecoder: req.Prompt.NewDecoder,
		Spelling:   req.Prompt.Spelling,
		Retain:     req.Retain,
	}
	switch {
	case req.form != nil:
		request.Constraint = req.form.Walk()
	case req.MostThoughts > 0 && req.Prompt.Thoughts.Begin != "":
		request.Constraint = newThoughtBudget(req.MostThoughts, req.Prompt)
	}
	stream, err := s.cfg.Engine.Submit(ctx, request)
	if err != nil {
		return nil, err
	}
	if req.parent != "" && s.cfg.Worked != nil {
		s.cfg.Worked(req.Tenant, req.parent)
	}
	req.followed.keep()
	answer := &Answer{stream: stream, span: trace.SpanFromContext(ctx), prefix: req.CallPrefix, single: req.SingleCall, finished: req.followed.answered, lead: -1}
	answer.spelling = req.Prompt.Spelling
	answer.thoughts, answer.thinksAloud = newThoughtReader(req.Prompt.Thoughts), req.Thinks
	answer.sign = func(thought string) string { return s.signature(req.Tenant, thought) }
	if len(req.tools) > 0 {
		answer.parser = toolcall.NewParser(req.Prompt.Calls, req.tools)
		answer.parser.Behind(req.begun)
		asker := s.recall.begin(req.Tenant, req.Agent)
		answer.whole = func(text string, blocks []Block) { s.recall.keep(asker, text, blocks) }
		answer.closed = func() { s.recall.end(asker) }
	}
	return answer, nil
}

// Forget drops what is remembered of the answers to an agent that is deleted.
func (s *Service) Forget(tenant, agent string) {
	s.recall.forget(tenant, agent)
	s.outlines.Forget(func(o divergence.Owner) bool { return o.Tenant == tenant && o.Agent == agent })
}

// ForgetTenant drops what is remembered of the answers to a tenant that is deleted.
func (s *Service) ForgetTenant(tenant string) {
	s.recall.forgetAll(func(t, _ string) bool { return t == tenant })
	s.outlines.Forget(func(o divergence.Owner) bool { return o.Tenant == tenant })
}

// render turns the conversation into tokens, if the model is the one that is loaded.
func (s *Service) render(ctx context.Context, req *Request) (prompt.Rendered, error) {
	s.cfg.Engine.Await(ctx)
	if err := s.choose(ctx, req.Model); err != nil {
		return prompt.Rendered{}, err
	}
	spec := s.cfg.Engine.Spec()
	req.spec = spec
	if spec.Name == "" {
		return prompt.Rendered{}, s.Absence()
	}
	if s.cfg.Switch == nil && !s.answersFor(req.Model, spec.Name) {
		return prompt.Rendered{}, Refuse(UnknownModel, "model: %s is not loaded here; send %s", httpapi.Clip(req.Model), spec.Name)
	}
	req.Conversation.Most = countedFor * spec.Context
	if req.Text != nil {
		rendered, err := s.cfg.Renderer.Plain(ctx, *req.Text, req.Conversation.Most)
		return rendered, bounded(err, spec.Context)
	}
	s.recall.restore(req.Tenant, req.Conversation.Turns)
	rendered, err := s.cfg.Renderer.Render(ctx, req.Conversation)
	if rendered.NewDecoder == nil && err == nil {
		rendered.NewDecoder, rendered.Spelling = s.cfg.Renderer.NewDecoder, s.cfg.Renderer.Spelling()
	}
	if err == nil && s.cfg.Engine.Spec().Fingerprint != spec.Fingerprint { // another model has come: whose tokens are these?
		return prompt.Rendered{}, engine.ErrStarting
	}
	return rendered, bounded(err, spec.Context)
}

func (s *Service) answersFor(model, loaded string) bool {
	return s.cfg.AnyModel || model == loaded || s.isAlias(model)
}

// isAlias tells whether an id stands for whichever model is loaded.
func (s *Service) isAlias(model string) bool {
	return slices.ContainsFunc(s.cfg.Aliases, func(alias string) bool {
		beginning, open := strings.CutSuffix(alias, "*")
		return alias == model || open && strings.HasPrefix(model, beginning)
	})
}
