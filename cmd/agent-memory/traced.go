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
	moves.Stored = func(m cache.Transfer) {
		stored(m)
		traces.Apart("store "+m.Tier, m.Took, attribute.String("agent_memory.tier", m.Tier), attribute.Int64("agent_memory.bytes", m.Bytes))
	}
	return moves
}
