package tracing

import (
	"log/slog"
	"sync"
	"time"
)

// quietFor is how long nothing more is said of the collector after a warning.
const quietFor = time.Minute

// complaints writes to the log what the SDK complains of, once a minute at most: a collector that is away fails every batch.
type complaints struct {
	log *slog.Logger

	mu      sync.Mutex
	last    time.Time
	skipped int
}

func newComplaints(log *slog.Logger) *complaints { return &complaints{log: log} }

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.last) < quietFor {
		c.skipped++
		return
	}
	c.log.Warn("traces_not_sent", "error", err.Error(), "before", c.skipped,
		"advice", "is the collector of OTEL_EXPORTER_OTLP_ENDPOINT there? Answers do not wait for it, and the spans are lost")
	c.last, c.skipped = time.Now(), 0
}
