// Package log writes the log lines that operators and their tools read: level in lower case, event,
// request_id. A line's message is its event. No line holds what a client wrote, what it was answered, or a
// key.
package log

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// Config describes a log.
type Config struct {
	Level string // DEBUG, INFO, WARNING, ERROR, or PRODUCTION for JSON lines at info
	File  string // appended to; empty means Out
	Out   io.Writer
}

// New returns a logger and what closes its file.
func New(cfg Config) (*slog.Logger, func() error, error) {
	out, closeFile := cfg.Out, func() error { return nil }
	if cfg.File != "" {
		file, err := os.OpenFile(cfg.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, nil, fmt.Errorf("SEMANTIC_SERVER_LOG_FILE: open the log: %w", err)
		}
		out, closeFile = file, file.Close
	}
	return slog.New(withRequestID{handler(cfg.Level, out)}), closeFile, nil
}

func handler(level string, out io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: threshold(level), ReplaceAttr: rename}
	if level == "PRODUCTION" {
		return slog.NewJSONHandler(out, options)
	}
	return slog.NewTextHandler(out, options)
}

func threshold(level string) slog.Level {
	switch level {
	case "DEBUG":
		return slog.LevelDebug
	case "WARNING":
		return slog.LevelWarn
	case "ERROR":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// rename gives the built-in fields the names that the contract promises.
func rename(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attr
	}
	switch attr.Key {
	case slog.MessageKey:
		attr.Key = "event"
	case slog.LevelKey:
		attr.Value = slog.StringValue(levelName(attr.Value))
	case slog.TimeKey:
		attr.Key = "timestamp"
	}
	return attr
}

func levelName(level slog.Value) string {
	if level.String() == slog.LevelWarn.String() {
		return "warning"
	}
	return strings.ToLower(level.String())
}

type requestIDKey struct{}

// WithRequestID returns a context whose log lines carry the request id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the request id of the context, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// withRequestID adds the context's request id to every line, and the ids of its trace and span if it is traced.
type withRequestID struct{ slog.Handler }

func (h withRequestID) Handle(ctx context.Context, record slog.Record) error {
	if id := RequestID(ctx); id != "" {
		record.AddAttrs(slog.String("request_id", id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, record)
}

func (h withRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequestID{h.Handler.WithAttrs(attrs)}
}

func (h withRequestID) WithGroup(name string) slog.Handler {
	return withRequestID{h.Handler.WithGroup(name)}
}
