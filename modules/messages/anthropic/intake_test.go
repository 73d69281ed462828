package anthropic_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// large is a body of some megabytes whose prompt is short.
func large(megabytes int) string {
	return with("padding", `"`+strings.Repeat("x", megabytes<<20)+`"`)
}

// Bodies that are held are bounded: what comes beyond is told to come again, and all is free again afterwards. What the
// server answered is told by its metrics, since it does not read a refused body to its end and the client may notice that
// first.
func TestBodiesInFlightAreBounded(t *testing.T) {
	gate := make(chan struct{})
	server := serve(t, setup{MaxBody: 32 << 20, Prompting: func(context.Context) { <-gate }})
	var asking sync.WaitGroup
	for _, megabytes := range []int{30, 30, 5, 5, 5, 5, 5, 5} {
		asking.Go(func() {
			req := newRequest(t, server, large(megabytes))
			if answer, err := server.Client().Do(req); err == nil {
				_ = answer.Body.Close()
			}
		})
	}
	if status := <-server.Statuses; status != http.StatusServiceUnavailable {
		t.Errorf("the first status is %d", status)
	}
	close(gate)
	for range 7 {
		if status := <-server.Statuses; status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Errorf("status %d", status)
		}
	}
	asking.Wait()
	for range 3 {
		if status := post(t, server, "/v1/messages/count_tokens", large(30)).StatusCode; status != http.StatusOK {
			t.Errorf("afterwards: status %d", status)
		}
	}
}

func newRequest(t *testing.T, server *server, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, server.URL+"/v1/messages/count_tokens", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", key)
	return req
}

// Of large bodies one is worked on at a time; small ones go by.
func TestLargeBodiesTakeTurns(t *testing.T) {
	var working, most atomic.Int32
	server := serve(t, setup{MaxBody: 32 << 20, Prompting: func(context.Context) {
		now := working.Add(1)
		defer working.Add(-1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
	}})
	done := make(chan int, 10)
	for range 8 {
		go func() { done <- post(t, server, "/v1/messages/count_tokens", large(2)).StatusCode }()
	}
	for range 8 {
		if status := <-done; status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d were worked on at once", most.Load())
	}
}

// Work on a prompt ends with its client, for each of the paths that render one.
func TestWorkOnAPromptEndsWithItsClient(t *testing.T) {
	entered, ended := make(chan struct{}), make(chan struct{})
	server := serve(t, setup{Model: enginetest.Config{}, Prompting: func(ctx context.Context) {
		entered <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
	}})
	for _, path := range []string{"/v1/messages", "/v1/messages/count_tokens", "/admin/explain"} {
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader(with()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", key)
		if path == "/admin/explain" {
			req.Header.Set("X-Api-Key", adminKey)
		}
		go func() { <-entered; leave() }()
		if answer, err := server.Client().Do(req); err == nil {
			body, _ := io.ReadAll(answer.Body)
			t.Fatalf("%s: status %d %s", path, answer.StatusCode, body)
		}
		<-ended
		if status := <-server.Statuses; status != 499 {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

func TestBlocksOfAllMessagesAreBounded(t *testing.T) {
	server := serve(t, setup{MaxBody: 32 << 20})
	half := `{"role":"user","content":[` + strings.Repeat(`{"type":"text","text":"a"},`, 49_999) + `{"type":"text","text":"a"}]},`
	answer := post(t, server, "/v1/messages/count_tokens", with("messages", "["+half+half+`{"role":"user","content":"a"}]`))
	body, err := io.ReadAll(answer.Body)
	if want := "messages.2.content: has the last of more than 100000 content blocks"; err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), want) {
		t.Errorf("status %d, %s, %v; want 400 with %q", answer.StatusCode, body, err, want)
	}
}
