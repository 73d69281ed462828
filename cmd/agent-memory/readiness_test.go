package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// awaitReadiness waits until a server tells this reason for not being ready, or with "" that it is.
func (r *running) awaitReadiness(t *testing.T, reason string) {
	t.Helper()
	type readiness struct{ Status, Reason string }
	var told readiness
	for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(20 * time.Millisecond) {
		answer := r.get(t, "/health/ready")
		text := body(t, answer)
		told = readiness{}
		if err := json.Unmarshal([]byte(text), &told); err != nil {
			t.Fatal(text)
		}
		isReady := answer.StatusCode == http.StatusOK
		if isReady != (told.Status == "ready") || isReady != (told.Reason == "") {
			t.Fatalf("%d %s", answer.StatusCode, text)
		}
		if isReady == (reason == "") && strings.HasPrefix(told.Reason, reason) {
			return
		}
	}
	t.Fatalf("waited in vain for %q, at last it was %+v", reason, told)
}

// Each reason is met on a running server, and is over when its cause is. The database's are met where Postgres is
// (postgres_test.go).
func TestEachReasonForNotBeingReadyIsTold(t *testing.T) {
	t.Run("not started", func(t *testing.T) {
		t.Parallel()
		found := make(chan struct{})
		r := beginAt(t, func(progress func(string, float64)) (string, error) {
			progress("looking for the model", 0.5)
			<-found
			return "", nil
		}, enginetest.Config{}, byteText{}, nil)
		r.awaitReadiness(t, "not started: looking for the model")
		if text := body(t, r.get(t, "/health/startup")); !strings.Contains(text, `"progress":0.5`) {
			t.Error(text)
		}
		close(found)
		r.awaitReadiness(t, "")
	})
	t.Run("engine not answering", func(t *testing.T) {
		t.Parallel()
		gate := make(chan struct{})
		r := launch(t, enginetest.Config{Before: func(c enginetest.Call) error {
			if c.Decode {
				<-gate
			}
			return nil
		}}, nil)
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			r.say(t, "a", "", "hello")
		}()
		r.awaitReadiness(t, "engine not answering")
		close(gate)
		<-asked
		r.awaitReadiness(t, "")
	})
	t.Run("pool utilization", func(t *testing.T) {
		t.Parallel()
		r := launch(t, enginetest.Config{NoEnd: true, Before: func(c enginetest.Call) error {
			if c.Decode {
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		}}, func(c *config.Config) { c.MLX.PrefillStepSize = 4096 })
		var streams []*http.Response
		for i := range 2 { // each takes 480 of the pool's 1,048 blocks
			text := strings.Repeat(fmt.Sprint(i), 480*256)
			streams = append(streams, r.ask(t, streamed(strings.Replace(strings.Replace(question, "200", "100000", 1), "the question", text, 1))))
		}
		r.awaitReadiness(t, "pool utilization over 0.90")
		for _, stream := range streams {
			_ = stream.Body.Close()
		}
		r.awaitReadiness(t, "")
	})
	t.Run("draining", func(t *testing.T) {
		t.Parallel()
		r := talkative(t, func(c *config.Config) { c.Server.DrainSeconds = 5 })
		stream := r.ask(t, streamed(strings.Replace(question, "200", "100000", 1)))
		r.leave()
		r.awaitReadiness(t, "draining")
		_ = stream.Body.Close()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
}
