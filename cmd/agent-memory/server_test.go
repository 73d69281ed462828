package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byteText renders the text of conversations as bytes.
type byteText struct{}

func (byteText) Render(_ context.Context, c prompt.Conversation) (p prompt.Rendered, err error) {
	for _, turn := range c.Turns {
		for _, part := range turn.Parts {
			p.Tokens = append(p.Tokens, enginetest.Encode(part.Text)...)
		}
	}
	p.Tokens = append(p.Tokens, enginetest.AnswerToken)
	return p, nil
}

func (byteText) Plain(_ context.Context, text string, _ int) (prompt.Rendered, error) {
	return prompt.Rendered{Tokens: append(enginetest.Encode(text), enginetest.AnswerToken), NewDecoder: enginetest.NewDecoder}, nil
}

func (t byteText) Diverge(ctx context.Context, a, b prompt.Conversation) (int, error) {
	return messagestest.Diverge(ctx, t.Render, a, b)
}

func (byteText) NewDecoder() engine.TextDecoder { return enginetest.NewDecoder() }
func (byteText) Spelling() prefix.Spelling      { return nil }

// running is a server on a free port.
type running struct {
	url      string
	leave    context.CancelFunc // like SIGTERM
	ended    chan error
	log      *bytes.Buffer // to be read after the end
	key      string        // that say and ask send; none if empty
	cacheDir string
}

// launch runs the whole server on the model in memory.
func launch(t *testing.T, model enginetest.Config, change func(*config.Config)) *running {
	t.Helper()
	return launchWith(t, model, byteText{}, change)
}

// launchWith is launch with another renderer.
func launchWith(t *testing.T, model enginetest.Config, renderer messages.Renderer, change func(*config.Config)) *running {
	t.Helper()
	r := beginWith(t, model, renderer, change)
	for r.get(t, "/health/ready").StatusCode != http.StatusOK {
		time.Sleep(time.Millisecond)
	}
	return r
}

// begin is launch that waits for nothing.
func begin(t *testing.T, model enginetest.Config, change func(*config.Config)) *running {
	t.Helper()
	return beginWith(t, model, byteText{}, change)
}

func beginWith(t *testing.T, model enginetest.Config, renderer messages.Renderer, change func(*config.Config)) *running {
	t.Helper()
	return beginAt(t, func(func(string, float64)) (string, error) { return "", nil }, model, renderer, change)
}

// beginAt is beginWith that has the model found by locate.
func beginAt(
	t *testing.T, locate func(func(string, float64)) (string, error), model enginetest.Config, renderer messages.Renderer, change func(*config.Config),
) *running {
	t.Helper()
	return beginOn(t, dependencies{
		locate: func(_ context.Context, _ string, progress func(string, float64)) (string, error) {
			return locate(progress)
		},
		openModel: func(config.MLX, string, func(string, float64)) (engine.Model, error) {
			return enginetest.New(model), nil
		},
		openText: func(string, string) (messages.Renderer, error) { return renderer, nil },
	}, change)
}

// beginOn runs the whole server on what its model is loaded by.
func beginOn(t *testing.T, deps dependencies, change func(*config.Config)) *running {
	t.Helper()
	cfg := config.Config{
		Server: config.Server{Host: "127.0.0.1", MaxQueue: 10, DrainSeconds: 30},
		Agent:  config.Agent{CacheDir: t.TempDir(), DiskBudgetMB: 64},
		MLX:    config.MLX{ModelID: "memory", CacheBudgetMB: 1, MaxBatchSize: 2, PrefillStepSize: 64},
	}
	if change != nil {
		change(&cfg)
	}
	if deps.kept == nil {
		deps.kept = func() ([]keptModel, error) { return nil, nil }
	}
	log := &bytes.Buffer{}
	deps.log = slog.New(slog.NewTextHandler(log, nil))
	s, err := newServer(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	r := &running{url: "http://" + listener.Addr().String(), leave: leave, ended: make(chan error, 1), log: log, cacheDir: cfg.Agent.CacheDir}
	go func() {
		r.ended <- s.run(ctx, listener)
		close(r.ended)
	}()
	t.Cleanup(func() {
		leave()
		for range r.ended { // until the folder is given back
		}
	})
	return r
}

func (r *running) end(t *testing.T) {
	t.Helper()
	r.leave()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func (r *running) get(t *testing.T, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, req)
}

func (r *running) ask(t *testing.T, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", r.key)
	return send(t, req)
}

func send(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	req.Close = true
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

func body(t *testing.T, answer *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const question = `{"model":"claude-3-5-sonnet-20241022","max_tokens":200,"temperature":0,"messages":[{"role":"user","content":"the question"}]}`

func streamed(body string) string { return strings.Replace(body, "{", `{"stream":true,`, 1) }

func TestTheServerAnswersAndCounts(t *testing.T) {
	r := launch(t, enginetest.Config{Answer: enginetest.Say("the answer")}, nil)
	if got := body(t, r.ask(t, question)); !strings.Contains(got, `"text":"the answer"`) {
		t.Error(got)
	}
	if got := body(t, r.ask(t, streamed(question))); !strings.Contains(got, "event: message_stop") {
		t.Error(got)
	}
	r.get(t, "/things/5")
	exposition := body(t, r.get(t, "/metrics"))
	for _, line := range []string{
		`semantic_request_total{method="POST",path="/v1/messages",status_code="200"} 2`,
		`semantic_request_total{method="GET",path="unmatched",status_code="404"} 1`,
		`semantic_pool_utilization_ratio `,
		`semantic_ready 1`,
		`semantic_tokens_total{kind="generated"} 22`,
		`semantic_answers_total{reason="end_turn"} 2`,
		`semantic_ttft_seconds_count 2`,
	} {
		if !strings.Contains(exposition, line) {
			t.Errorf("%s is missing", line)
		}
	}
	r.leave()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	for _, secret := range []string{"the question", "the answer"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if !strings.Contains(r.log.String(), "request_complete") {
		t.Error("request_complete is not in the log")
	}
}

func TestRunningAnswersFinishBeforeTheEnd(t *testing.T) {
	entered, gate := make(chan struct{}, 1000), make(chan struct{})
	model := enginetest.Config{Answer: enginetest.Say("the answer"), Before: func(enginetest.Call) error {
		entered <- struct{}{}
		<-gate
		return nil
	}}
	r := launch(t, model, nil)
	answer := r.ask(t, streamed(question))
	<-entered
	r.leave()
	for r.get(t, "/health/ready").StatusCode != http.StatusServiceUnavailable {
		time.Sleep(time.Millisecond)
	}
	if got := body(t, r.get(t, "/metrics")); !strings.Contains(got, "\nsemantic_ready 0\n") {
		t.Error("a server that drains counts as ready")
	}
	close(gate)
	if got := body(t, answer); !strings.Contains(got, "event: message_stop") {
		t.Error(got)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestAnswersThatTakeTooLongAreCutWithAnError(t *testing.T) {
	r := launch(t, enginetest.Config{NoEnd: true, Before: func(enginetest.Call) error {
		time.Sleep(5 * time.Millisecond)
		return nil
	}}, func(c *config.Config) { c.Server.DrainSeconds = 0 })
	answer := r.ask(t, streamed(strings.Replace(question, "200", "100000", 1)))
	r.leave()
	if got := body(t, answer); !strings.Contains(got, "event: error") || !strings.Contains(got, "overloaded_error") {
		t.Errorf("the stream ends with %q", got[max(0, len(got)-300):])
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestAModelThatDoesNotLoadEndsTheServer(t *testing.T) {
	s, err := newServer(config.Config{
		Server: config.Server{MaxQueue: 1}, MLX: config.MLX{ModelID: "no/such", CacheBudgetMB: 1, MaxBatchSize: 1, PrefillStepSize: 1},
	}, dependencies{
		locate: func(context.Context, string, func(string, float64)) (string, error) {
			return "", errors.New("no such file")
		},
		log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.run(t.Context(), listener); err == nil || !strings.Contains(err.Error(), "SEMANTIC_MLX_MODEL_ID=no/such: no such file") {
		t.Error(err)
	}
}
