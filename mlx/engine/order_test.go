package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// slow is a model that takes a millisecond for 64 tokens of a prompt, in the clock of the bubble.
func slow() *enginetest.Model {
	return enginetest.New(enginetest.Config{NoEnd: true, Before: func(c enginetest.Call) error {
		if !c.Decode {
			time.Sleep(time.Millisecond)
		}
		return nil
	}})
}

// inBubble runs an engine on a slow model in a bubble of fake time.
func inBubble(t *testing.T, maxWait time.Duration, test func(t *testing.T, e *engine.Engine)) {
	synctest.Test(t, func(t *testing.T) {
		e, err := engine.New(engine.Config{
			Open: slow().Open, Budget: 1000 * enginetest.BlockBytes, MaxBatch: 4, MaxQueue: 10_000, ChunkTokens: 64, MaxWait: maxWait,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		synctest.Wait()
		if _, _, err := answer(e, request(strings.Repeat("warm", 32), 1)); err != nil { // it is measured what a token takes
			t.Fatal(err)
		}
		test(t, e)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAShortQuestionOvertakesLongPrompts(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, e *engine.Engine) {
		var long sync.WaitGroup
		var ended atomic.Int32
		for range 40 {
			long.Go(func() {
				if _, _, err := answer(e, request(strings.Repeat("x", 3000), 5)); err != nil {
					t.Error(err)
				}
				ended.Add(1)
			})
		}
		synctest.Wait()
		if _, _, err := answer(e, request("hi?", 1)); err != nil {
			t.Fatal(err)
		}
		if n := ended.Load(); n > 4 {
			t.Errorf("%d long prompts were computed before a question of three tokens", n)
		}
		long.Wait()
	})
}

func TestALongPromptIsNotOvertakenForEver(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, e *engine.Engine) {
		done := make(chan struct{})
		began := time.Now()
		go func() {
			defer close(done)
			if _, _, err := answer(e, request(strings.Repeat("x", 6400), 1)); err != nil {
				t.Error(err)
			}
		}()
		var shorter sync.WaitGroup
		for ask := true; ask; { // always more short questions than there are slots
			for range 8 {
				shorter.Go(func() { _, _, _ = answer(e, request(strings.Repeat("y", 64), 1)) })
			}
			time.Sleep(6 * time.Millisecond)
			select {
			case <-done:
				ask = false
			default:
			}
			if time.Since(began) > time.Minute {
				t.Error("a prompt that takes 100 ms waits for a minute")
				break
			}
		}
		shorter.Wait()
		<-done
	})
}

func TestARequestWaitsNoLongerThanItMay(t *testing.T) {
	inBubble(t, 50*time.Millisecond, func(t *testing.T, e *engine.Engine) {
		var all sync.WaitGroup
		var refused, answered atomic.Int32
		for range 40 {
			all.Go(func() {
				began := time.Now()
				_, _, err := answer(e, request(strings.Repeat("x", 3000), 5))
				switch {
				case err == nil:
					answered.Add(1)
				case errors.Is(err, engine.ErrQueueFull) && time.Since(began) < time.Second:
					refused.Add(1)
				default:
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		}
		all.Wait()
		if answered.Load() < 4 || refused.Load() == 0 {
			t.Errorf("%d were answered, %d refused", answered.Load(), refused.Load())
		}
	})
}
