package messages

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/log"
)

// pingEvery is how long a stream may be silent before a ping shows that it lives.
const pingEvery = 10 * time.Second

var errSilence = errors.New("nothing to send yet")

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

// The events of a stream, in the order of their sending.
type (
	startEvent struct {
		Type    string `json:"type"`
		Message answer `json:"message"`
	}
	bareEvent struct {
		Type string `json:"type"`
	}
	blockStartEvent struct {
		Type  string    `json:"type"`
		Index int       `json:"index"`
		Block textBlock `json:"content_block"`
	}
	blockDeltaEvent struct {
		Type  string    `json:"type"`
		Index int       `json:"index"`
		Delta textBlock `json:"delta"`
	}
	blockStopEvent struct {
		Type  string `json:"type"`
		Index int    `json:"index"`
	}
	deltaEvent struct {
		Type  string     `json:"type"`
		Delta stopFields `json:"delta"`
		Usage usage      `json:"usage"`
	}
	stopFields struct {
		StopReason   *string `json:"stop_reason"`
		StopSequence *string `json:"stop_sequence"`
	}
)

// stream answers with events as the text grows.
func (m *Module) stream(w http.ResponseWriter, r *http.Request, j *job) {
	known := begun(r.Context(), j)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := &events{w: w}
	out.send("message_start", startEvent{"message_start", j.opening(known)})
	out.send("ping", bareEvent{"ping"})
	begun, err := copyText(r.Context(), out, j)
	if begun {
		out.send("content_block_stop", blockStopEvent{"content_block_stop", 0})
	}
	if err != nil {
		m.breakOff(r, out, err)
		return
	}
	result := j.stream.Result()
	reason, sequence := ending(result)
	out.send("message_delta", deltaEvent{"message_delta", stopFields{reason, sequence}, usageOf(j.prompt, result.Usage)})
	out.send("message_stop", bareEvent{"message_stop"})
}

// openingPatience is how long a stream waits for its slot before its first event, which tells what of the prompt is
// cached.
const openingPatience = time.Second

// begun waits for what the first event tells of the usage, but not for long: in a queue the first event says that
// nothing is cached yet. The last event tells the truth in any case.
func begun(ctx context.Context, j *job) engine.Usage {
	patience, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	known := j.stream.Begun(patience)
	known.Generated = 0
	return known
}

// copyText sends the text as it comes, and pings in between. It reports whether there was any.
func copyText(ctx context.Context, out *events, j *job) (begun bool, err error) {
	for out.err == nil {
		text, err := nextText(ctx, j)
		switch {
		case errors.Is(err, io.EOF):
			return begun, nil
		case errors.Is(err, errSilence):
			out.send("ping", bareEvent{"ping"})
			continue
		case err != nil:
			return begun, err
		}
		if !begun {
			begun = true
			out.send("content_block_start", blockStartEvent{"content_block_start", 0, textBlock{"text", ""}})
		}
		out.send("content_block_delta", blockDeltaEvent{"content_block_delta", 0, textBlock{"text_delta", text}})
	}
	return begun, out.err
}

func nextText(ctx context.Context, j *job) (string, error) {
	patience, cancel := context.WithTimeoutCause(ctx, pingEvery, errSilence)
	defer cancel()
	return j.stream.Next(patience)
}

// breakOff ends a stream with an error event, the only way to tell once the status is sent.
func (m *Module) breakOff(r *http.Request, out *events, err error) {
	status, message := statusOf(err)
	if r.Context().Err() == nil {
		m.cfg.Log.WarnContext(r.Context(), "stream_broken", "error", err)
	}
	out.send("error", errorBody{
		Type: "error", Error: errorDetail{errorType(status), message}, RequestID: log.RequestID(r.Context()),
	})
}
