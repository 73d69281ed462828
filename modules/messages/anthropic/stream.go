package anthropic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/log"
)

// events writes server-sent events. After its first failure it writes nothing more.
type events struct {
	w   http.ResponseWriter
	err error
}

// send writes an event and flushes it.
func (e *events) send(name string, fields any) {
	if e.err != nil {
		return
	}
	var event bytes.Buffer
	fmt.Fprintf(&event, "event: %s\ndata: ", name)
	encoder := json.NewEncoder(&event)
	encoder.SetEscapeHTML(false)
	if e.err = encoder.Encode(fields); e.err != nil {
		return
	}
	event.WriteByte('\n')
	if _, e.err = e.w.Write(event.Bytes()); e.err == nil {
		e.err = http.NewResponseController(e.w).Flush()
	}
}

// stream answers with events as the text grows.
func (a *API) stream(w http.ResponseWriter, r *http.Request, m *writing) {
	known := m.Opening(r.Context())
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := &events{w: w}
	out.send("message_start", messageStartEvent{"message_start", m.opening(known)})
	out.send("ping", pingEvent{"ping"})
	if err := copyBlocks(r.Context(), out, m); err != nil {
		a.breakOff(r, out, err)
		return
	}
	result := m.Result()
	reason, sequence := ending(result)
	out.send("message_delta", messageDeltaEvent{"message_delta", stopFields{reason, sequence}, usageOf(result.Usage)})
	out.send("message_stop", messageStopEvent{"message_stop"})
}

// copyBlocks sends the blocks as they grow, and pings in between.
func copyBlocks(ctx context.Context, out *events, m *writing) error {
	for out.err == nil {
		event, err := m.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, messages.ErrSilence):
			out.send("ping", pingEvent{"ping"})
			continue
		case err != nil:
			return err
		}
		out.sendBlock(event)
	}
	return out.err
}

func (e *events) sendBlock(event messages.Event) {
	switch event.Kind {
	case messages.BlockStart:
		e.send("content_block_start", contentBlockStartEvent{"content_block_start", event.Index, blockOf(event.Block)})
	case messages.BlockDelta:
		e.send("content_block_delta", contentBlockDeltaEvent{"content_block_delta", event.Index, deltaOf(event.Block)})
	case messages.BlockStop:
		if event.Block.Kind == prompt.Thinking {
			signed := delta{signatureDelta{"signature_delta", event.Block.Signature}}
			e.send("content_block_delta", contentBlockDeltaEvent{"content_block_delta", event.Index, signed})
		}
		e.send("content_block_stop", contentBlockStopEvent{"content_block_stop", event.Index})
	}
}

func deltaOf(b messages.Block) delta {
	switch b.Kind {
	case prompt.ToolUse:
		return delta{inputJSONDelta{"input_json_delta", b.Text}}
	case prompt.Thinking:
		return delta{thinkingDelta{"thinking_delta", b.Text}}
	}
	return delta{textDelta{"text_delta", b.Text}}
}

// breakOff ends a stream with an error event, the only way to tell once the status is sent.
func (a *API) breakOff(r *http.Request, out *events, err error) {
	failure := messages.FailureOf(messages.CutBy(r.Context(), err))
	if r.Context().Err() == nil || failure.Kind == messages.KeyEnded {
		a.cfg.Log.WarnContext(r.Context(), "stream_broken", "error", err)
	}
	out.send("error", messagesError{
		Type: "error", Error: messagesErrorDetail{errorType(failure.Kind.Status()), failure.Message}, RequestID: log.RequestID(r.Context()),
	})
}
