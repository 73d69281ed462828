package openai

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// The pieces of a stream.
type (
	chatCompletionChunk struct {
		ID                string        `json:"id"`
		Object            string        `json:"object" enum:"chat.completion.chunk"`
		Created           int64         `json:"created"`
		Model             string        `json:"model"`
		Choices           []chunkChoice `json:"choices" nullable:"false" doc:"None in the piece that has the usage"`
		Usage             *chatUsage    `json:"usage,omitempty" doc:"In the last piece, with stream_options.include_usage"`
		SystemFingerprint *string       `json:"system_fingerprint" nullable:"true"`
	}
	chunkChoice struct {
		Index        int           `json:"index" minimum:"0"`
		Delta        chunkDelta    `json:"delta"`
		Logprobs     maybeLogprobs `json:"logprobs"`
		FinishReason *string       `json:"finish_reason" nullable:"true" enum:"stop,length,tool_calls"`
	}
	chunkDelta struct {
		Role      string      `json:"role,omitempty" enum:"assistant"`
		Content   *string     `json:"content,omitempty"`
		Reasoning *string     `json:"reasoning_content,omitempty" doc:"What the model thinks before it answers, if it is one that does"`
		ToolCalls []chunkCall `json:"tool_calls,omitempty" nullable:"false"`
	}
	chunkCall struct {
		Index    int           `json:"index" minimum:"0" doc:"Of the call, among the answer's"`
		ID       string        `json:"id,omitempty"`
		Type     string        `json:"type,omitempty" enum:"function"`
		Function chunkFunction `json:"function"`
	}
	chunkFunction struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments" doc:"The pieces of a call, joined, are a JSON object"`
	}
)

// pieces writes server-sent events. After its first failure it writes nothing more.
type pieces struct {
	w   http.ResponseWriter
	mu  sync.Mutex
	err error
}

// failed is why nothing more is written, or nil.
func (p *pieces) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *pieces) write(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	if _, p.err = io.WriteString(p.w, text); p.err == nil {
		p.err = http.NewResponseController(p.w).Flush()
	}
}

// send writes a value as an event.
func (p *pieces) send(value any) {
	data, err := json.Marshal(value)
	if err != nil {
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		return
	}
	p.write("data: " + string(data) + "\n\n")
}

// beat shows that the stream lives, in a comment, which clients pass over.
func (p *pieces) beat() { p.write(": the answer is on its way\n\n") }

// stream answers with pieces as the text grows.
func (a *API) stream(w http.ResponseWriter, r *http.Request, all choices, wantsUsage bool) {
	out := beginStream(w)
	nothing := ""
	for _, c := range all {
		out.send(c.chunk(chunkDelta{Role: string(prompt.Assistant), Content: &nothing}, nil))
	}
	if err := all.copyTo(r.Context(), out); err != nil {
		a.breakStream(r, out, err)
		return
	}
	if wantsUsage {
		last := all[0].chunk(chunkDelta{}, nil)
		usage := all.usage()
		last.Choices, last.Usage = []chunkChoice{}, &usage
		out.send(last)
	}
	out.write("data: [DONE]\n\n")
}

// beginStream sends the headers of a stream.
func beginStream(w http.ResponseWriter) *pieces {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &pieces{w: w}
}

// breakStream ends a stream with an error.
func (a *API) breakStream(r *http.Request, out *pieces, err error) {
	failure := messages.FailureOf(messages.CutBy(r.Context(), err))
	if r.Context().Err() == nil || failure.Kind == messages.KeyEnded {
		a.cfg.Log.WarnContext(r.Context(), "stream_broken", "error", err)
	}
	out.send(errorOf(failure))
}

// copyTo sends the answer as it grows, and signs of life in between.
func (c *completing) copyTo(ctx context.Context, out *pieces) error {
	calls := 0
	for out.failed() == nil {
		event, err := c.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, messages.ErrSilence):
			out.beat()
			continue
		case err != nil:
			return err
		}
		if event.Kind == messages.BlockStart && event.Block.Kind == prompt.ToolUse {
			calls++
		}
		if delta, says := deltaOf(event, calls-1); says {
			piece := c.chunk(delta, nil)
			piece.Choices[0].Logprobs = c.logprobs()
			out.send(piece)
		}
	}
	return out.failed()
}

// deltaOf is what an event adds to the answer. call is the index of the last call.
func deltaOf(event messages.Event, call int) (delta chunkDelta, says bool) {
	isCall := event.Block.Kind == prompt.ToolUse
	switch {
	case event.Kind == messages.BlockStart && isCall:
		begun := chunkCall{Index: call, ID: event.Block.ID, Type: "function", Function: chunkFunction{Name: event.Block.Name}}
		return chunkDelta{ToolCalls: []chunkCall{begun}}, true
	case event.Kind == messages.BlockDelta && isCall:
		return chunkDelta{ToolCalls: []chunkCall{{Index: call, Function: chunkFunction{Arguments: event.Block.Text}}}}, true
	case event.Kind == messages.BlockDelta && event.Block.Kind == prompt.Thinking:
		return chunkDelta{Reasoning: &event.Block.Text}, true
	case event.Kind == messages.BlockDelta:
		return chunkDelta{Content: &event.Block.Text}, true
	}
	return delta, false
}

func (c *completing) chunk(delta chunkDelta, reason *string) chatCompletionChunk {
	return chatCompletionChunk{
		ID: c.id, Object: "chat.completion.chunk", Created: c.created, Model: c.model,
		Choices: []chunkChoice{{Index: c.index, Delta: delta, FinishReason: reason}},
	}
}
