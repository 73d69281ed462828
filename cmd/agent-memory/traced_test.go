package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/log"
	"github.com/agent-memory/agent-memory/platform/tracing"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traceCollector takes spans as a collector does, by OTLP over HTTP.
type traceCollector struct {
	*httptest.Server

	mu       sync.Mutex
	spans    []*tracepb.Span
	services []string
	received bytes.Buffer // as it came, decompressed
}

func collectTraces(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		raw, err := io.ReadAll(body)
		request := &collector.ExportTraceServiceRequest{}
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(raw, request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.take(raw, request)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *traceCollector) take(raw []byte, request *collector.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received.Write(raw)
	for _, resource := range request.ResourceSpans {
		for _, attribute := range resource.Resource.Attributes {
			if attribute.Key == "service.name" {
				c.services = append(c.services, attribute.Value.GetStringValue())
			}
		}
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// of returns the spans of a trace by their names.
func (c *traceCollector) of(trace string) map[string]*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	named := map[string]*tracepb.Span{}
	for _, span := range c.spans {
		if hex.EncodeToString(span.TraceId) == trace {
			named[span.Name] = span
		}
	}
	return named
}

// number is an attribute of a span, or -1.
func number(span *tracepb.Span, name string) int64 {
	for _, attribute := range span.GetAttributes() {
		if attribute.Key == name {
			return attribute.Value.GetIntValue()
		}
	}
	return -1
}

// launchTraced runs a server that sends its spans to a collector, and returns what ends them.
func launchTraced(t *testing.T, endpoint string, logged io.Writer) (r *running, flush func()) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	t.Setenv("OTEL_SERVICE_NAME", "memory-of-agents")
	logger, _, err := log.New(log.Config{Level: "INFO", Out: logged})
	if err != nil {
		t.Fatal(err)
	}
	traces, err := tracing.New(t.Context(), tracing.Config{Service: name, Version: version, Log: logger})
	if err != nil {
		t.Fatal(err)
	}
	r = beginOn(t, dependencies{
		locate: func(context.Context, string, func(string, float64)) (string, error) { return "", nil },
		openModel: func(config.MLX, string, func(string, float64)) (engine.Model, error) {
			return enginetest.New(enginetest.Config{NoEnd: true}), nil
		},
		openText: func(string, string) (messages.Renderer, error) { return byteText{}, nil },
		traces:   traces,
	}, nil)
	r.awaitReadiness(t, "")
	flush = sync.OnceFunc(func() { closeTraces(traces) })
	t.Cleanup(flush)
	return r, flush
}

// A request's span goes on with the caller's trace and has the parts of its way below it, what was read from the disk
// among them. Nothing of what was said is in any.
func TestARequestIsTraced(t *testing.T) {
	c := collectTraces(t)
	r, flush := launchTraced(t, c.URL, io.Discard)
	ask := func(trace string) {
		r.sayAs(t, map[string]string{"X-Agent-Id": "traced", "Traceparent": "00-" + trace + "-00f067aa0ba902b7-01"}, strings.Repeat(mostlyTalk, 40), "hello")
	}
	first, second := strings.Repeat("0a", 16), strings.Repeat("0b", 16)
	ask(first)
	r.durable(t, "/v1/agents/traced")
	if status, text := r.call(t, http.MethodPost, "/admin/agents/default/traced/evict", "", `{"to":"disk"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	ask(second)
	flush()

	for trace, want := range map[string][]string{
		first:  {"POST /v1/messages", "tokenise", "match", "queue", "prefill", "decode"},
		second: {"POST /v1/messages", "tokenise", "match", "queue", "restore disk", "prefill", "decode"},
	} {
		spans := c.of(trace)
		root := spans["POST /v1/messages"]
		if hex.EncodeToString(root.GetParentSpanId()) != "00f067aa0ba902b7" || number(root, "http.response.status_code") != http.StatusOK {
			t.Errorf("the request's span is %v", root)
		}
		for _, name := range want {
			span := spans[name]
			if span == nil || name != root.Name && !bytes.Equal(span.ParentSpanId, root.SpanId) {
				t.Errorf("%s: span %q is %v", trace, name, span)
				continue
			}
			if span.StartTimeUnixNano < root.StartTimeUnixNano || span.EndTimeUnixNano > root.EndTimeUnixNano || span.EndTimeUnixNano < span.StartTimeUnixNano {
				t.Errorf("%s: span %q is from %d to %d, the request from %d to %d", trace, name,
					span.StartTimeUnixNano, span.EndTimeUnixNano, root.StartTimeUnixNano, root.EndTimeUnixNano)
			}
		}
	}
	root, restored := c.of(second)["POST /v1/messages"], c.of(second)["restore disk"]
	prompt, cached := number(root, "gen_ai.usage.input_tokens"), number(root, "agent_memory.cached_tokens")
	if cached <= 0 || number(restored, "agent_memory.tokens") < cached-int64(engine.BlockTokens) || number(restored, "agent_memory.bytes") <= 0 {
		t.Errorf("%d of %d tokens were read, the disk's span is %v", cached, prompt, restored)
	}
	if computed := number(c.of(second)["prefill"], "agent_memory.tokens"); computed != prompt-cached {
		t.Errorf("%d of %d tokens were read, and %d computed", cached, prompt, computed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.spans, func(s *tracepb.Span) bool { return s.Name == "store disk" && len(s.ParentSpanId) == 0 }) {
		t.Error("no store was traced")
	}
	if slices.ContainsFunc(c.spans, func(s *tracepb.Span) bool { return strings.Contains(s.Name, "/health") }) {
		t.Error("probes are traced")
	}
	if len(c.services) == 0 || c.services[0] != "memory-of-agents" {
		t.Errorf("the services are %q", c.services)
	}
	if strings.Contains(c.received.String(), "hello") || strings.Contains(c.received.String(), strings.TrimSpace(mostlyTalk)) {
		t.Error("a prompt's text was sent to the collector")
	}
}

// A collector that is away costs its spans and one warning; answers don't wait for it.
func TestACollectorThatIsAwayCostsNoAnswer(t *testing.T) {
	logged := &lockedBuffer{}
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
	r, flush := launchTraced(t, "http://127.0.0.1:1", logged)
	for range 3 {
		r.say(t, "untraced", "", "hello")
		time.Sleep(50 * time.Millisecond)
	}
	flush()
	if said := logged.String(); strings.Count(said, "traces_not_sent") != 1 {
		t.Errorf("the log has %q", said)
	}
}

// lockedBuffer may be written from several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
