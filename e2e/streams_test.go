package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// long is a question whose answer goes on for hundreds of tokens.
const long = "Tell a very long story about a lighthouse, a ship and a storm, with many chapters."

// limited is a context that stops a hang.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// question is a prompt of its own, and of its own length, for every number.
func question(i int) string {
	topics := []string{"the sea", "a clock", "bread", "Rome", "the number seven", "bees", "snow", "a violin"}
	filler := strings.Repeat("Some words that are of no weight at all, number "+strconv.Itoa(i)+". ", i*5%23)
	return filler + "Tell me something about " + topics[i%len(topics)] + " in " + strconv.Itoa(i+2) + " sentences."
}

func TestSixtyFourStreamsOnABatchOfFour(t *testing.T) {
	const streams, tokens = 64, 24
	s, ctx := start(t, "SEMANTIC_MLX_MAX_BATCH_SIZE=4", "SEMANTIC_SERVER_MAX_QUEUE=64", "SEMANTIC_SERVER_MAX_WAIT_SECONDS=0"), limited(t)
	together, failures := make([]string, streams), make([]error, streams)
	var group sync.WaitGroup
	for i := range streams {
		group.Go(func() {
			answer, err := s.whole(ctx, question(i), tokens)
			if failures[i] = err; err == nil {
				together[i] = answer.text.String()
			}
		})
	}
	group.Wait()
	for i, err := range failures {
		if err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
	}
	different := map[string]bool{}
	for i := range streams {
		alone, err := s.whole(ctx, question(i), tokens)
		if err != nil {
			t.Fatalf("stream %d alone: %v", i, err)
		}
		if alone.text.String() == "" || alone.text.String() != together[i] {
			t.Errorf("stream %d says %q together and %q alone", i, together[i], alone.text.String())
		}
		different[together[i]] = true
	}
	if len(different) < streams/2 {
		t.Errorf("only %d different answers: the questions are no test", len(different))
	}
	s.await(t, "idle", func() bool { return s.metric(t, "semantic_slots_busy_ratio") == "0" })
	s.await(t, "free of what audits hold", func() bool { return s.metric(t, "semantic_pool_bytes") == "0" })
}

// One slot and a queue of one: the third request is refused, and a client that leaves makes room for the
// next.
func TestAFullQueueRefusesAndALeavingClientMakesRoom(t *testing.T) {
	s, ctx := start(t, "SEMANTIC_MLX_MAX_BATCH_SIZE=1", "SEMANTIC_SERVER_MAX_QUEUE=1"), limited(t)
	leaving, leave := context.WithCancel(ctx)
	defer leave()
	first, err := s.open(leaving, long, 4000)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.untilText(); err != nil {
		t.Fatal(err)
	}
	quitting, quit := context.WithCancel(ctx)
	defer quit()
	if _, err := s.open(quitting, question(1), 8); err != nil { // waits in the queue
		t.Fatal(err)
	}
	expectOverload(t, s, ctx)

	quit() // one that waits leaves: its place in the queue is free
	s.await(t, "without a queue", func() bool { return s.metric(t, "semantic_queue_depth") == "0" })
	second, err := s.open(ctx, question(2), 8)
	if err != nil {
		t.Fatal(err)
	}
	expectOverload(t, s, ctx)

	leave() // the one that runs leaves: the one that waits gets its slot
	if err := second.finish(); err != nil {
		t.Fatal(err)
	}
	s.await(t, "idle", func() bool {
		// blocks count as held until they are durable
		return s.metric(t, "semantic_slots_busy_ratio") == "0" && s.metric(t, "semantic_pool_bytes") == "0"
	})
	for series, want := range map[string]string{
		`semantic_answers_total{reason="cancelled"}`: "2",
		`semantic_queue_depth`:                       "0",
	} {
		if got := s.metric(t, series); got != want {
			t.Errorf("%s is %q, want %s", series, got, want)
		}
	}
}

func expectOverload(t *testing.T, s *server, ctx context.Context) {
	t.Helper()
	answer, err := s.post(ctx, question(3), 8)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct {
		Type      string
		Error     struct{ Type string }
		RequestID string `json:"request_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	wait, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if answer.StatusCode != http.StatusServiceUnavailable || body.Type != "error" || body.Error.Type != "overloaded_error" ||
		body.RequestID != answer.Header.Get("Request-Id") || err != nil || wait < 1 {
		t.Errorf("status %d, retry-after %q, body %+v", answer.StatusCode, answer.Header.Get("Retry-After"), body)
	}
}

func TestStreamsFinishAfterSIGTERM(t *testing.T) {
	const streams, tokens = 6, 400
	s := start(t, "SEMANTIC_MLX_MAX_BATCH_SIZE=4", "SEMANTIC_SERVER_DRAIN_SECONDS=600")
	ctx := limited(t)
	var answers []*stream
	for i := range streams { // four run and two wait
		answer, err := s.open(ctx, fmt.Sprint(i+1, " chapters. ", long), tokens)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, answer)
	}
	if err := answers[0].untilText(); err != nil {
		t.Fatal(err)
	}
	s.terminate(t)
	s.await(t, "leaving", func() bool { return s.ready(t) == http.StatusServiceUnavailable })
	for i, answer := range answers {
		if err := answer.finish(); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
		if answer.reason == "" || answer.text.Len() == 0 {
			t.Errorf("stream %d ends with reason %q after %q", i, answer.reason, answer.text.String())
		}
	}
	select {
	case <-s.ended:
		if s.err != nil {
			t.Errorf("the process ends with %v", s.err)
		}
	case <-ctx.Done():
		t.Fatal("the process does not end")
	}
}
