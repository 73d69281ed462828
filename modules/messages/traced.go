package messages

import (
	"context"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/platform/tracing"
	"go.opentelemetry.io/otel/attribute"
)

// tokenise is render, traced.
func (s *Service) tokenise(ctx context.Context, req *Request) (prompt.Rendered, error) {
	ctx, span := tracing.Begin(ctx, "tokenise")
	defer span.End()
	rendered, err := s.render(ctx, req)
	span.SetAttributes(attribute.Int("agent_memory.tokens", len(rendered.Tokens)))
	return rendered, err
}

// tellStages traces where the time of an answer that came to its end went, and tells the request's span what it cost. Names of
// attributes are those of https://opentelemetry.io/docs/specs/semconv/gen-ai/ as far as it has them.
func (a *Answer) tellStages() {
	if !a.span.IsRecording() {
		return
	}
	result := a.stream.Result()
	a.span.SetAttributes(
		attribute.Int("gen_ai.usage.input_tokens", result.Usage.Prompt), attribute.Int("gen_ai.usage.output_tokens", result.Usage.Generated),
		attribute.Int("agent_memory.cached_tokens", result.Usage.Cached), attribute.String("agent_memory.stop_reason", string(result.StopReason)))
	for _, stage := range result.Stages {
		tracing.Past(a.span, stageName(stage), stage.Began, stage.Ended, stageAttributes(stage)...)
	}
}

// stageName is the name of a stage's span.
func stageName(s engine.Stage) string {
	if s.Tier == "" {
		return string(s.Name)
	}
	return string(s.Name) + " " + s.Tier
}

func stageAttributes(s engine.Stage) []attribute.KeyValue {
	attributes := []attribute.KeyValue{attribute.Int("agent_memory.tokens", s.Tokens)}
	if s.Tier == "" {
		return attributes
	}
	return append(attributes, attribute.String("agent_memory.tier", s.Tier),
		attribute.Int("agent_memory.blocks", s.Blocks), attribute.Int64("agent_memory.bytes", s.Bytes))
}
