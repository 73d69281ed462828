package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// alone answers each request in an engine that runs nothing else.
func alone(t *testing.T, reqs []engine.Request) []string {
	e, stop := start(t, enginetest.New(enginetest.Config{}), func(c *engine.Config) { c.MaxBatch = 1 })
	defer stop()
	texts := make([]string, len(reqs))
	for i, req := range reqs {
		text, _, err := answer(e, req)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = text
	}
	return texts
}

// together answers all requests at once and compares their texts.
func together(t *testing.T, e *engine.Engine, reqs []engine.Request, want []string) {
	var readers sync.WaitGroup
	for i, req := range reqs {
		readers.Go(func() {
			if text, _, err := answer(e, req); err != nil || text != want[i] {
				t.Errorf("request %d: %q, %v; alone it is %q", i, text, err, want[i])
			}
		})
	}
	readers.Wait()
}

func mixedRequests(n, maxTokens int) []engine.Request {
	var reqs []engine.Request
	for i, prompt := range prompts(n) {
		req := request(prompt, maxTokens)
		if i%2 == 1 {
			seed := uint64(i)
			req.Sampling = engine.Sampling{Temperature: 1, TopP: 0.95, Seed: &seed}
		}
		reqs = append(reqs, req)
	}
	return reqs
}

func TestSixtyFourStreamsEqualTheirSequentialRuns(t *testing.T) {
	reqs := mixedRequests(64, 40)
	want := alone(t, reqs)
	e, stop := start(t, enginetest.New(enginetest.Config{}), nil)
	defer stop()
	together(t, e, reqs, want)
}

func TestPreemptionDoesNotChangeTheText(t *testing.T) {
	reqs := mixedRequests(12, 600)
	for i := range reqs {
		reqs[i].Tokens = reqs[i].Tokens[:10]
	}
	model := enginetest.Config{NoEnd: true}
	single, stop := start(t, enginetest.New(model), func(c *engine.Config) { c.MaxBatch = 1 })
	var want []string
	for _, req := range reqs {
		text, _, err := answer(single, req)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
	}
	stop()

	var preempted atomic.Int64
	e, stop := start(t, enginetest.New(model), func(c *engine.Config) {
		c.Budget = 6 * enginetest.BlockBytes
		c.Listener.Preempted = func() { preempted.Add(1) }
	})
	defer stop()
	together(t, e, reqs, want)
	if preempted.Load() == 0 {
		t.Error("nothing was preempted, so nothing was tested")
	}
}

func TestChunkBordersDoNotChangeTheText(t *testing.T) {
	reqs := []engine.Request{request(strings.Repeat("long prompt ", 60), 20)}
	want := alone(t, reqs)
	for _, chunk := range []int{1, 7, 255, 256, 257, 4096} {
		e, stop := start(t, enginetest.New(enginetest.Config{}), func(c *engine.Config) { c.ChunkTokens = chunk })
		together(t, e, reqs, want)
		stop()
	}
}

func TestALongPromptDoesNotStallTheOthers(t *testing.T) {
	var steps []engine.Step
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), func(c *engine.Config) {
		c.Listener.Stepped = func(s engine.Step) { steps = append(steps, s) }
	})
	short, err := e.Submit(context.Background(), request("short", 100_000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := short.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := answer(e, request(strings.Repeat("long", 1250), 1)); err != nil {
		t.Fatal(err)
	}
	short.Close()
	stop()
	chunks := 0
	for _, step := range steps[1:] {
		if step.Prefill == 0 {
			continue
		}
		if chunks++; step.Prefill > 64 || step.Rows != 1 {
			t.Fatalf("a step computed %d prompt tokens and decoded %d rows", step.Prefill, step.Rows)
		}
	}
	if chunks != 79 {
		t.Errorf("5000 tokens took %d chunks of 64", chunks)
	}
}

func TestAnswersEndForTheRightReason(t *testing.T) {
	say := enginetest.Config{Answer: enginetest.Say("one two STOP three")}
	cases := []struct {
		name string
		max  int
		stop []string
		want string
		why  engine.StopReason
		word string
		made int
	}{
		{"end of turn", 100, nil, "one two STOP three", engine.StopToken, "", 19},
		{"max tokens", 3, nil, "one", engine.StopLimit, "", 3},
		{"stop sequence", 100, []string{"nothing", "STOP"}, "one two ", engine.StopString, "STOP", 12},
		{"max tokens inside a stop sequence", 10, []string{"STOP"}, "one two ST", engine.StopLimit, "", 10},
		{"nothing asked for", 0, nil, "", engine.StopLimit, "", 0},
	}
	e, stop := start(t, enginetest.New(say), nil)
	defer stop()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := request("say it", c.max)
			req.Tokens, req.Stop = append(req.Tokens, enginetest.AnswerToken), c.stop
			text, result, err := answer(e, req)
			if err != nil || text != c.want || result.StopReason != c.why || result.StopString != c.word {
				t.Fatalf("%q, %+v, %v", text, result, err)
			}
			if usage := (engine.Usage{Prompt: 7, Generated: c.made}); result.Usage != usage {
				t.Errorf("usage %+v, want %+v", result.Usage, usage)
			}
			if len(result.Tokens) != c.made {
				t.Errorf("%d token ids", len(result.Tokens))
			}
		})
	}
}

func TestWhatCanNeverBeAnsweredIsRefusedAtOnce(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{Context: 1000}), func(c *engine.Config) {
		c.Budget = 2 * enginetest.BlockBytes
	})
	defer stop()
	var tooLong *engine.TooLongError
	_, _, err := answer(e, request(strings.Repeat("x", 1001), 1))
	if !errors.As(err, &tooLong) || err.Error() != "prompt is too long: 1001 tokens > 1000 maximum" {
		t.Errorf("over the context: %v", err)
	}
	var neverFits *engine.NeverFitsError
	if _, _, err := answer(e, request(strings.Repeat("x", 513), 1)); !errors.As(err, &neverFits) {
		t.Errorf("over the budget: %v", err)
	}
	bad := request("x", 1)
	bad.Tokens = []int32{5, enginetest.Vocabulary}
	for _, req := range []engine.Request{request("", 1), request("x", -1), bad} {
		if _, _, err := answer(e, req); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("nonsense: %v", err)
		}
	}
}

// gate blocks every call of the model until it is opened for a number of calls.
type gate struct{ calls chan struct{} }

func newGate() *gate { return &gate{calls: make(chan struct{})} }

func (g *gate) before(enginetest.Call) error { <-g.calls; return nil }
func (g *gate) pass()                        { g.calls <- struct{}{} }
func (g *gate) open()                        { close(g.calls) }

func TestTheQueueIsBounded(t *testing.T) {
	g := newGate()
	e, stop := start(t, enginetest.New(enginetest.Config{Before: g.before}), func(c *engine.Config) {
		c.MaxBatch, c.MaxQueue = 1, 2
	})
	defer stop()
	var streams []*engine.Stream
	for range 3 {
		stream, err := e.Submit(context.Background(), request("x", 1))
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, stream)
	}
	if _, err := e.Submit(context.Background(), request("x", 1)); !errors.Is(err, engine.ErrQueueFull) {
		t.Errorf("the fourth got %v", err)
	}
	g.open()
	for _, stream := range streams {
		if _, _, err := readAll(stream); err != nil {
			t.Error(err)
		}
	}
}

func TestALeavingClientFreesItsSlotWithinAStep(t *testing.T) {
	g := newGate()
	e, stop := start(t, enginetest.New(enginetest.Config{Before: g.before, NoEnd: true}), func(c *engine.Config) { c.MaxBatch = 1 })
	defer stop()
	ctx, leave := context.WithCancelCause(context.Background())
	first, err := e.Submit(ctx, request("first", 1000))
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Submit(context.Background(), request("second", 1))
	if err != nil {
		t.Fatal(err)
	}
	g.pass() // the first one's prefill
	g.pass() // and a decode
	leave(errors.New("gone"))
	first.Close() // the context's callback runs on its own time; this makes the test exact
	g.open()      // at most the step that was under way
	if _, result, err := readAll(second); err != nil || result.Usage.Generated != 1 {
		t.Errorf("the second: %+v, %v", result, err)
	}
	if _, result, err := readAll(first); err == nil || result.Usage.Generated > 3 {
		t.Errorf("the first: %+v, %v", result, err)
	}
}

func TestAFailureEndsOnlyWhatItMust(t *testing.T) {
	boom := errors.New("boom")
	failures := map[string]func() error{"error": func() error { return boom }, "panic": func() error { panic(boom) }}
	for name, fail := range failures {
		t.Run("prefill "+name, func(t *testing.T) {
			model := enginetest.New(enginetest.Config{NoEnd: true, Before: func(c enginetest.Call) error {
				if c.Number == 0 {
					return fail()
				}
				return nil
			}})
			e, stop := start(t, model, nil)
			defer stop()
			if _, _, err := answer(e, request("first", 5)); !errors.Is(err, engine.ErrModel) {
				t.Errorf("the first: %v", err)
			}
			if _, result, err := answer(e, request("second", 5)); err != nil || result.Usage.Generated != 5 {
				t.Errorf("the second: %+v, %v", result, err)
			}
		})
		t.Run("decode "+name, func(t *testing.T) {
			failed := false
			model := enginetest.New(enginetest.Config{NoEnd: true, Before: func(c enginetest.Call) error {
				if c.Decode && c.Rows == 2 && !failed {
					failed = true
					return fail()
				}
				return nil
			}})
			e, stop := start(t, model, func(c *engine.Config) { c.MaxBatch = 2 })
			defer stop()
			var streams []*engine.Stream
			for range 3 {
				stream, err := e.Submit(context.Background(), request("x", 3000))
				if err != nil {
					t.Fatal(err)
				}
				streams = append(streams, stream)
			}
			var broken int
			for _, stream := range streams {
				if _, _, err := readAll(stream); errors.Is(err, engine.ErrModel) {
					broken++
				}
			}
			if broken != 2 {
				t.Errorf("%d requests failed", broken)
			}
		})
	}
}

func TestDrainFinishesWhatRunsAndRefusesTheRest(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), nil)
	defer stop()
	stream, err := e.Submit(context.Background(), request("x", 300))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, result, err := readAll(stream); err != nil || result.Usage.Generated != 300 {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := e.Submit(context.Background(), request("x", 1)); !errors.Is(err, engine.ErrDraining) {
		t.Errorf("after draining: %v", err)
	}
}

func TestWhatIsLeftWhenRunEndsFailsWithDraining(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), nil)
	stream, err := e.Submit(context.Background(), request("x", 1<<17))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Next(context.Background()); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, _, err := readAll(stream); !errors.Is(err, engine.ErrDraining) {
		t.Errorf("%v", err)
	}
	if _, err := e.Submit(context.Background(), request("x", 1)); !errors.Is(err, engine.ErrDraining) {
		t.Errorf("after the end: %v", err)
	}
}

func TestRequestsWaitForAModel(t *testing.T) {
	e, err := engine.New(engine.Config{Open: enginetest.New(enginetest.Config{}).Open, Budget: 1e6, MaxBatch: 1, MaxQueue: 1, ChunkTokens: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Submit(context.Background(), request("x", 1)); !errors.Is(err, engine.ErrStarting) {
		t.Errorf("%v", err)
	}
}

func TestAModelThatDoesNotOpenEndsRun(t *testing.T) {
	for _, open := range []func(func(string, float64)) (engine.Model, error){
		func(func(string, float64)) (engine.Model, error) { return nil, errors.New("no such file") },
		func(func(string, float64)) (engine.Model, error) { panic("no such file") },
	} {
		e, err := engine.New(engine.Config{Open: open, Budget: 1e6, MaxBatch: 1, MaxQueue: 1, ChunkTokens: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%v", err)
		}
	}
}

func TestGreedyTokensAreThoseOfTheResult(t *testing.T) {
	e, stop := start(t, enginetest.New(enginetest.Config{NoEnd: true}), nil)
	defer stop()
	text, result, err := answer(e, request("x", 50))
	if err != nil || !slices.Equal(enginetest.Encode(text), result.Tokens) {
		t.Fatalf("%q, %v, %v", text, result.Tokens, err)
	}
}
