// Package tracing tells an OpenTelemetry collector where a request's time goes. It is off unless a collector is named, in
// OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, and beside them the
// exporter's and the sampler's (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, ...), as
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ describes them. Spans are sent by OTLP over
// HTTP. No span has what a client wrote, what it was answered, or a key.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names what makes the spans.
const scope = "platform/tracing"

// Config describes what is traced.
type Config struct {
	Service, Version string
	Log              *slog.Logger
}

// Tracing sends spans until it is closed.
type Tracing struct {
	provider trace.TracerProvider
	close    func(context.Context) error // nil: off
}

// isWanted tells whether the environment names a collector.
func isWanted() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(os.Getenv("OTEL_TRACES_EXPORTER"), "none") {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Off traces nothing.
func Off() *Tracing {
	return &Tracing{noop.NewTracerProvider(), nil}
}

// IsOn tells whether spans are sent anywhere.
func (t *Tracing) IsOn() bool { return t.close != nil }

// New traces as the environment says. A collector that can't be reached later costs spans and a warning a minute, and nothing
// else.
func New(ctx context.Context, cfg Config) (*Tracing, error) {
	if !isWanted() {
		return Off(), nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: open the exporter of traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version)),
		resource.WithFromEnv()) // last: what the operator says holds
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(newComplaints(cfg.Log)) // the SDK knows one for the process only
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &Tracing{provider, provider.Shutdown}, nil
}

// Close sends what is left, for as long as ctx lasts.
func (t *Tracing) Close(ctx context.Context) error {
	if t.close == nil {
		return nil
	}
	if err := t.close(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// Served begins the span of a request to the server, which goes on with the trace that its headers name (W3C Trace Context).
// The returned function ends it with the answer's status.
func (t *Tracing) Served(r *http.Request, route string) (ctx context.Context, end func(status int)) {
	ctx = propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.provider.Tracer(scope).Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route)))
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		span.End()
	}
}

// Apart tells of something that took time and belongs to no request. It ended now.
func (t *Tracing) Apart(name string, took time.Duration, attributes ...attribute.KeyValue) {
	now := time.Now()
	_, span := t.provider.Tracer(scope).Start(context.Background(), name, trace.WithTimestamp(now.Add(-took)), trace.WithAttributes(attributes...))
	span.End(trace.WithTimestamp(now))
}

// Begin begins a part of what ctx's span tells of, if it has one.
func Begin(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(scope).Start(ctx, name, trace.WithAttributes(attributes...))
}

// Past tells of a part of what a span tells of, once it is over.
func Past(of trace.Span, name string, began, ended time.Time, attributes ...attribute.KeyValue) {
	ctx := trace.ContextWithSpan(context.Background(), of)
	_, span := of.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithTimestamp(began), trace.WithAttributes(attributes...))
	span.End(trace.WithTimestamp(ended))
}
