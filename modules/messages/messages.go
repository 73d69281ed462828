// Package messages is the Anthropic Messages API: it reads requests, has the engine answer them, and writes the
// answers at once or as a stream of events.
package messages

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/log"
)

// Engine answers requests.
type Engine interface {
	Submit(ctx context.Context, req engine.Request) (*engine.Stream, error)
	Explain(ctx context.Context, req engine.Request) (*engine.Explanation, error)
	Spec() engine.Spec
}

// Config describes the module.
type Config struct {
	Router   *httpapi.Router
	Engine   Engine
	Prompter Prompter
	// Temperature is that of requests that bring none.
	Temperature float64
	Aliases     []string // model ids that stand for the loaded model, besides its own and all of claude-*
	Log         *slog.Logger
}

// Module serves the Messages API.
type Module struct{ cfg Config }

// Register adds the module's operations to the router.
func Register(cfg Config) {
	m := &Module{cfg}
	cfg.Router.Handle(createOperation(), m.create)
	cfg.Router.Handle(countOperation(), m.count)
	m.registerExplain()
}

// create answers POST /v1/messages.
func (m *Module) create(w http.ResponseWriter, r *http.Request) {
	sent, err := read(w, r)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	asked, err := sent.understand(m.cfg.Temperature)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	if !m.cfg.Router.LimitCaller(w, r, asked.userID) {
		return
	}
	job, err := m.submit(r, asked)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	defer job.stream.Close()
	if asked.stream {
		m.stream(w, r, job)
		return
	}
	m.whole(w, r, job)
}

// count answers POST /v1/messages/count_tokens.
func (m *Module) count(w http.ResponseWriter, r *http.Request) {
	prompt, ok := m.countedPrompt(w, r)
	if ok {
		httpapi.WriteJSON(w, http.StatusOK, "application/json", map[string]int{"input_tokens": len(prompt.Tokens)})
	}
}

// countedPrompt renders the prompt of a request that asks for its length. Without one the request is answered.
func (m *Module) countedPrompt(w http.ResponseWriter, r *http.Request) (prompt Prompt, ok bool) {
	sent, err := read(w, r)
	if err != nil {
		m.fail(w, r, err)
		return prompt, false
	}
	asked, err := sent.prompt()
	if err != nil {
		m.fail(w, r, err)
		return prompt, false
	}
	if !m.cfg.Router.LimitCaller(w, r, asked.userID) {
		return prompt, false
	}
	prompt, err = m.render(r.Context(), asked)
	if err != nil {
		m.fail(w, r, err)
	}
	return prompt, err == nil
}

// job is a request under way.
type job struct {
	id     string
	model  string
	prompt Prompt
	stream *engine.Stream
}

// submit renders the prompt and hands it to the engine.
func (m *Module) submit(r *http.Request, asked *request) (*job, error) {
	prompt, err := m.render(r.Context(), asked)
	if err != nil {
		return nil, err
	}
	stream, err := m.cfg.Engine.Submit(r.Context(), engine.Request{
		ID:         log.RequestID(r.Context()),
		Tenant:     auth.From(r.Context()).Tenant,
		Agent:      agentOf(r, asked),
		Tokens:     prompt.Tokens,
		MaxTokens:  asked.maxTokens,
		Sampling:   asked.sampling,
		Stop:       asked.stop,
		NewDecoder: m.cfg.Prompter.NewDecoder,
		Spelling:   m.cfg.Prompter.Spelling(),
		Retain:     retention(asked.conversation),
	})
	if err != nil {
		return nil, err
	}
	return &job{id: newID(), model: asked.model, prompt: prompt, stream: stream}, nil
}

func agentOf(r *http.Request, asked *request) string {
	if agent := httpapi.AgentOf(r); agent != "" {
		return agent
	}
	return asked.userID
}

// render turns the conversation into tokens, if the model is the one that is loaded.
func (m *Module) render(ctx context.Context, asked *request) (Prompt, error) {
	name := m.cfg.Engine.Spec().Name
	if name == "" {
		return Prompt{}, engine.ErrStarting
	}
	if !m.answersFor(asked.model, name) {
		return Prompt{}, &invalidError{http.StatusNotFound, "model: " + asked.model + " is not loaded here; send " + name}
	}
	return m.cfg.Prompter.Prompt(ctx, asked.conversation)
}

func (m *Module) answersFor(model, loaded string) bool {
	return model == loaded || strings.HasPrefix(model, "claude-") || slices.Contains(m.cfg.Aliases, model)
}

// whole answers with one JSON object.
func (m *Module) whole(w http.ResponseWriter, r *http.Request, j *job) {
	var text strings.Builder
	for {
		more, err := j.stream.Next(r.Context())
		text.WriteString(more)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			m.fail(w, r, err)
			return
		}
	}
	httpapi.WriteJSON(w, http.StatusOK, "application/json", j.answer(text.String()))
}
