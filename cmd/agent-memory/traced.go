package main

import (
	"context"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/platform/tracing"
	"go.opentelemetry.io/otel/attribute"
)

// lastSpansFor is how long the end waits for the collector.
const lastSpansFor = 3 * time.Second

// closeTraces sends the last spans, if the collector takes them soon.
func closeTraces(traces *tracing.Tracing) {
	ctx, cancel := context.WithTimeout(context.Background(), lastSpansFor)
	defer cancel()
	_ = traces.Close(ctx) // the log has told of a collector that is away; it is no reason for the server to end as failed
}

// tracedMoves returns the listener with the stores of blocks traced, too. They come after the answers, and several requests may
// wait for one: so each is a trace of its own.
func tracedMoves(traces *tracing.Tracing, moves cache.Listener) cache.Listener {
	if !traces.IsOn() {
		return moves
	}
	stored := moves.Stored
	moves.Stored = func(tier string, bytes int64, took time.Duration) {
		stored(tier, bytes, took)
		traces.Apart("store "+tier, took, attribute.String("agent_memory.tier", tier), attribute.Int64("agent_memory.bytes", bytes))
	}
	return moves
}
