package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs an engine on the model until stop is called, and waits until it takes requests.
func start(t testing.TB, model *enginetest.Model, change func(*engine.Config)) (e *engine.Engine, stop func()) {
	t.Helper()
	ready := make(chan struct{})
	cfg := engine.Config{
		Open: func(progress func(string, float64)) (engine.Model, error) {
			defer close(ready)
			return model.Open(progress)
		},
		Budget: 1000 * enginetest.BlockBytes, MaxBatch: 4, MaxQueue: 100, ChunkTokens: 64,
	}
	if change != nil {
		change(&cfg)
	}
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-ready
	for !e.Status().Started {
	}
	return e, func() {
		cancel()
		running.Wait()
		if model.Blocks() != 0 || !model.Closed() {
			t.Errorf("after Run %d blocks are left, closed %v", model.Blocks(), model.Closed())
		}
	}
}

func request(prompt string, maxTokens int) engine.Request {
	return engine.Request{
		ID: "test", Tokens: enginetest.Encode(prompt), MaxTokens: maxTokens, NewDecoder: enginetest.NewDecoder,
		Spelling: enginetest.Spelling{},
	}
}

// talk is a conversation that knows which of its texts were answers.
type talk struct {
	text    string
	answers []prefix.Span
}

func (c *talk) say(text string) { c.text += text }

func (c *talk) hear(text string) {
	c.answers = append(c.answers, prefix.Span{From: len(c.text), To: len(c.text) + len(text)})
	c.text += text
}

func (c *talk) request(maxTokens int) engine.Request {
	req := request(c.text, maxTokens)
	req.Answers = c.answers
	return req
}

// answer runs a request to its end.
func answer(e *engine.Engine, req engine.Request) (string, engine.Result, error) {
	stream, err := e.Submit(context.Background(), req)
	if err != nil {
		return "", engine.Result{}, err
	}
	return readAll(stream)
}

func readAll(stream *engine.Stream) (text string, result engine.Result, err error) {
	for {
		more, err := stream.Next(context.Background())
		text += more
		switch {
		case errors.Is(err, io.EOF):
			return text, stream.Result(), nil
		case err != nil:
			return text, stream.Result(), err
		}
	}
}

// prompts makes n different prompts of different lengths.
func prompts(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("prompt %d:%*s", i, i*13%300, "x")
	}
	return all
}
