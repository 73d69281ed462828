package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"pgregory.net/rapid"
)

// Whatever is asked, cancelled and broken: the pool's invariants hold after every step, every request ends, and no
// memory is left.
func TestEveryRequestEndsAndThePoolStaysRight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		faults := rapid.SliceOfNDistinct(rapid.IntRange(0, 400), 0, 5, rapid.ID).Draw(rt, "faults")
		broken := map[int]bool{}
		for _, n := range faults {
			broken[n] = true
		}
		model := enginetest.New(enginetest.Config{Before: func(c enginetest.Call) error {
			if broken[c.Number] {
				return errors.New("broken")
			}
			return nil
		}})
		var e *engine.Engine
		var wrong error
		e, stop := start(t, model, func(c *engine.Config) {
			c.Budget = rapid.Int64Range(3, 12).Draw(rt, "blocks") * enginetest.BlockBytes
			c.MaxBatch = rapid.IntRange(1, 5).Draw(rt, "batch")
			c.ChunkTokens = rapid.IntRange(1, 300).Draw(rt, "chunk")
			c.Listener.Stepped = func(engine.Step) { wrong = errors.Join(wrong, e.CheckPool()) }
		})
		var readers sync.WaitGroup
		for range rapid.IntRange(1, 12).Draw(rt, "requests") {
			prompt := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 1, 500, -1).Draw(rt, "prompt")
			req := request(prompt, rapid.IntRange(0, 2000).Draw(rt, "max_tokens"))
			leaveAfter := rapid.IntRange(0, 20).Draw(rt, "leave")
			readers.Go(func() { readOrLeave(t, e, req, leaveAfter) })
		}
		readers.Wait()
		stop()
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

// readOrLeave reads an answer to its end, or closes it after some pieces if leaveAfter is below 10.
func readOrLeave(t *testing.T, e *engine.Engine, req engine.Request, leaveAfter int) {
	stream, err := e.Submit(context.Background(), req)
	if err != nil {
		var neverFits *engine.NeverFitsError
		if !errors.As(err, &neverFits) {
			t.Errorf("refused: %v", err)
		}
		return
	}
	for pieces := 0; ; pieces++ {
		if pieces == leaveAfter && leaveAfter < 10 {
			stream.Close()
		}
		if _, err := stream.Next(context.Background()); err != nil {
			return
		}
	}
}
