package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

func TestTheWatchdogReportsAHangAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var fatal atomic.Int32
		model := enginetest.New(enginetest.Config{Before: func(c enginetest.Call) error {
			if c.Number == 0 {
				<-hang
			}
			return nil
		}})
		e, stop := startInBubble(t, model, func(error) { fatal.Add(1) })
		time.Sleep(time.Hour + time.Second/2) // between two ticks
		if e.Status().Hung {
			t.Error("an idle engine counts as hung")
		}
		stream, err := e.Submit(context.Background(), request("x", 1))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		if e.Status().Hung {
			t.Error("hung after 9 s")
		}
		time.Sleep(2 * time.Second)
		if !e.Status().Hung {
			t.Error("not hung after 11 s")
		}
		close(hang)
		if _, _, err := readAll(stream); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if e.Status().Hung || fatal.Load() != 0 {
			t.Errorf("after the hang: %+v, fatal %d times", e.Status(), fatal.Load())
		}
		stop()
	})
}

func TestTheWatchdogGivesUpAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var fatal atomic.Int32
		model := enginetest.New(enginetest.Config{Before: func(enginetest.Call) error { <-hang; return nil }})
		e, stop := startInBubble(t, model, func(error) { fatal.Add(1) })
		if _, err := e.Submit(context.Background(), request("x", 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if fatal.Load() != 0 {
			t.Error("gave up before a minute")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if fatal.Load() != 1 {
			t.Errorf("gave up %d times", fatal.Load())
		}
		close(hang)
		stop()
	})
}

// startInBubble is start for the fake clock of synctest, where nothing may spin.
func startInBubble(t *testing.T, model *enginetest.Model, fatal func(error)) (*engine.Engine, func()) {
	e, err := engine.New(engine.Config{
		Open: model.Open, Budget: 10 * enginetest.BlockBytes, MaxBatch: 1, MaxQueue: 1, ChunkTokens: 10, Fatal: fatal,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	synctest.Wait()
	return e, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
