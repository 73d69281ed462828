package prompt

import (
	"cmp"
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
)

// Renderer renders conversations with a model's chat template and tokenizer.
type Renderer struct {
	tokens   *tokenizer.Tokenizer
	speller  *tokenizer.Speller
	template *chat.Template
	turns    chat.Turns // what the template demands

	calls    toolcall.Syntax    // that the template teaches
	marks    []int32            // special tokens that are marks of calls
	replays  bool               // the template writes an assistant's text right behind its generation prompt
	mentions *tokenizer.Speller // the speller with the marks

	thoughts     Thoughts
	thoughtMarks []int32            // special tokens that are their marks
	thinkAloud   *tokenizer.Speller // the speller with them
}

// New returns a renderer. It asks the template once which turns it takes.
func New(t *tokenizer.Tokenizer, template *chat.Template) *Renderer {
	r := &Renderer{tokens: t, speller: t.NewSpeller(), template: template}
	r.turns = template.Probe(r.settings(true, time.Now()))
	r.learnThoughts()
	r.learnCalls()
	return r
}

// settings are a prompt's without its conversation.
func (r *Renderer) settings(generate bool, now time.Time) chat.Prompt {
	return chat.Prompt{
		AddGenerationPrompt: generate, Guard: r.tokens.Guard, Now: now, Turns: r.turns, Marks: r.sampledMarks(),
		BOS: r.special(r.tokens.BOS()), EOS: r.special(r.tokens.EOS()),
	}
}

// Spelling knows the ways in which tokens spell a text.
func (r *Renderer) Spelling() prefix.Spelling { return r.speller }

// NewDecoder returns a decoder for one answer.
func (r *Renderer) NewDecoder() engine.TextDecoder { return r.tokens.NewDecoder() }

// Render renders a conversation. It returns a *RefusedError for one that the model's chat template can't
// express, an *engine.TooLongError for one of more tokens than its Most, and ctx's error if that ends first.
func (r *Renderer) Render(ctx context.Context, c Conversation) (Rendered, error) {
	if err := r.refuseBySize(c); err != nil {
		return Rendered{}, err
	}
	now := time.Now()
	in := r.conversation(ctx, c, !c.Continue, now)
	text, err := r.text(in)
	if err != nil {
		return Rendered{}, awaited(ctx, err)
	}
	places := r.findAnswers(in, text, c.Continue)
	if c.Continue {
		if places.continued < 0 {
			return Rendered{}, &RefusedError{Reason: "its last turn can't be continued: the template does not keep the assistant's text"}
		}
		text = text[:places.continued]
	}
	out, err := r.encode(ctx, text, places.answers, c.Most)
	if err != nil {
		return out, err
	}
	out.Thoughts = r.thinkingOf(c, text)
	switch {
	case len(c.Tools) > 0:
		out.Calls, out.NewDecoder, out.Spelling = r.calls, r.newCallDecoder, r.mentions
	case out.Thoughts.Begin != "":
		out.NewDecoder, out.Spelling = r.newThoughtDecoder, r.thinkAloud
	}
	if head, ok := untilBreakpoint(c); ok {
		text, err := r.text(r.conversation(ctx, head, false, now))
		if err != nil {
			return Rendered{}, awaited(ctx, err)
		}
		out.Marked = common(out.Tokens, r.tokens.Encode(text))
	}
	return out, nil
}

// encode turns a prompt into its canonical tokens, as far as somebody waits and they are not more than
// maxTokens. Answers whose ends lie within tokens are left out.
func (r *Renderer) encode(ctx context.Context, text string, answers []prefix.Span, maxTokens int) (out Rendered, err error) {
	places := make([]int, 0, 2*len(answers))
	for _, answer := range answers {
		places = append(places, answer.From, answer.To)
	}
	var at []int
	out.Tokens, at, err = r.tokens.EncodeAt(text, places, tokenizer.Bound{
		Most: cmp.Or(maxTokens, math.MaxInt), Alive: func() bool { return ctx.Err() == nil },
	})
	var overErr *tokenizer.OverError
	switch {
	case errors.As(err, &overErr):
		return out, &engine.TooLongError{Prompt: overErr.Least, Context: maxTokens, Least: true}
	case err != nil:
		return out, context.Cause(ctx)
	}
	for i := 0; i < len(at); i += 2 {
		if at[i] >= 0 && at[i+1] >= 0 {
			out.Answers = append(out.Answers, prefix.Span{From: at[i], To: at[i+1]})
		}
	}
	return out, nil
}

// awaited is why a prompt could not be rendered: ctx's error if nobody waits for it any more.
func awaited(ctx context.Context, err error) error {
	if errors.Is(err, chat.ErrLeft) {
		return context.Cause(ctx)
	}
	return err
}

// conversation is what the template is to render, as long as ctx lasts.
func (r *Renderer) conversation(ctx context.Context, c Conversation, generate bool, now time.Time) chat.Prompt {
	in := r.settings(generate, now)
	in.Alive, in.Extra = func() bool { return ctx.Err() == nil }, thinkingVariables(c.Effort)
	for _, t := range c.Turns {
		in.Messages = append(in.Messages, r.turn(t)...)
	}
	for _, t := range c.Tools {
		in.Tools = append(in.Tools, chat.Tool{Name: t.Name, Description: t.Description, Parameters: t.InputSchema})
	}
	return in
}

func (r *Renderer) text(in chat.Prompt) (string, error) {
	text, err := r.template.Prompt(in)
	var raisedErr *chat.RaisedError
	if errors.As(err, &raisedErr) {
		return "", &RefusedError{Reason: raisedErr.Message}
	}
	if errors.Is(err, chat.ErrLeft) {
		return "", err
	}
	if err != nil {
		return "", &RefusedError{Reason: err.Error()}
	}
	return text, nil
}

// special is the text of a special token, empty for none.
func (r *Renderer) special(id int32) string {
	text, _ := r.tokens.Token(id)
	return text
}

// turn splits a turn into the messages that templates know: results of tools become turns of their own. A
// turn whose sampled text is known is that text.
func (r *Renderer) turn(t Turn) []chat.Message {
	if t.Sampled != "" && r.replays {
		return []chat.Message{{Role: string(t.Role), Content: t.Sampled, Sampled: true}}
	}
	var results []chat.Message
	m := chat.Message{Role: string(t.Role)}
	var content, thinking strings.Builder
	for _, part := range t.Parts {
		switch part.Kind {
		case Text:
			content.WriteString(part.Text)
		case Thinking:
			thinking.WriteString(part.Text)
		case ToolUse:
			m.ToolCalls = append(m.ToolCalls, chat.ToolCall{ID: r.callID(part.ID), Name: part.Name, Arguments: part.Input})
		case ToolResult:
			results = append(results, chat.Message{Role: "tool", Content: resultOf(part), ToolCallID: r.callID(part.ID)})
		}
	}
	m.Content, m.Thinking = content.String(), thinking.String()
	if len(results) > 0 && m.Content == "" {
		return results
	}
	return append(results, m)
}

// failed is put before what a tool that failed answered: templates know no other way to tell.
const failed = "The tool failed:\n"

func resultOf(part Part) string {
	if part.IsError {
		return failed + part.Text
	}
	return part.Text
}
