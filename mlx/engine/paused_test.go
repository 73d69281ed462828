package engine_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// pausing is a log that takes 100 s for its first line of a hang: the watchdog, which writes it, meanwhile does not run and
// the clock does, as in a process that was stopped or on a machine that slept.
type pausing struct {
	slog.Handler
	pauses *atomic.Int32
}

// Enabled implements slog.Handler.
func (pausing) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (p pausing) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "engine_hang" && p.pauses.Add(1) == 1 {
		time.Sleep(100 * time.Second)
	}
	return nil
}

func TestAPauseOfTheProcessIsNoHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var fatal, pauses atomic.Int32
		model := enginetest.New(enginetest.Config{Before: func(c enginetest.Call) error {
			if c.Number == 0 {
				<-hang
			}
			return nil
		}})
		e, err := engine.New(engine.Config{
			Open: model.Open, Budget: 10 * enginetest.BlockBytes, MaxBatch: 1, MaxQueue: 1, ChunkTokens: 10,
			Fatal: func(error) { fatal.Add(1) }, Logger: slog.New(pausing{slog.DiscardHandler, &pauses}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		synctest.Wait()
		stream, err := e.Submit(context.Background(), request("x", 1))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(115 * time.Second)
		if pauses.Load() != 1 || fatal.Load() != 0 {
			t.Errorf("after %d pauses of 100 s: given up %d times", pauses.Load(), fatal.Load())
		}
		close(hang)
		if _, _, err := readAll(stream); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
