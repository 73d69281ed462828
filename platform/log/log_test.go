package log_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/platform/log"
	"go.opentelemetry.io/otel/trace"
)

func TestProductionWritesJSONLines(t *testing.T) {
	var out bytes.Buffer
	logger, _, err := log.New(log.Config{Level: "PRODUCTION", Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("hidden")
	logger.WarnContext(log.WithRequestID(context.Background(), "req_1"), "cache_save_failed", "tier", "disk")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	if line["level"] != "warning" || line["event"] != "cache_save_failed" || line["request_id"] != "req_1" || line["tier"] != "disk" {
		t.Errorf("%v", line)
	}
}

func TestOtherLevelsWritePairs(t *testing.T) {
	var out bytes.Buffer
	logger, _, err := log.New(log.Config{Level: "DEBUG", Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("step")
	if line := out.String(); !strings.Contains(line, "level=debug event=step") || strings.Contains(line, "request_id") {
		t.Errorf("%q", line)
	}
}

func TestTheLogMayGoToAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	logger, closeLog, err := log.New(log.Config{Level: "INFO", File: path})
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("server_start")
	if err := closeLog(); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || !strings.Contains(string(raw), "event=server_start") {
		t.Errorf("%q, %v", raw, err)
	}
	if _, _, err := log.New(log.Config{File: filepath.Join(path, "under a file")}); err == nil {
		t.Error("a folder that isn't there was accepted")
	}
}

func TestLinesOfATracedRequestNameItsTrace(t *testing.T) {
	var out bytes.Buffer
	logger, _, err := log.New(log.Config{Level: "INFO", Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	logger.InfoContext(trace.ContextWithSpanContext(context.Background(), span), "request_complete")
	if line := out.String(); !strings.Contains(line, "trace_id=01000000000000000000000000000000 span_id=0200000000000000") {
		t.Errorf("%q", line)
	}
}
