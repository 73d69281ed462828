package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// swappable runs a server whose models are named by their ids: "one" and "two" say who they are, "unreadable" has no tokenizer,
// "large" does not load, and there is no other.
func swappable(t *testing.T) *running {
	t.Helper()
	r := beginOn(t, shelfOf(func(enginetest.Call) error { return nil }, func(string) {}), func(c *config.Config) { c.MLX.ModelID = "one" })
	r.awaitReadiness(t, "")
	return r
}

// shelfOf are those models. before runs before every call of one, and opening is told which is loaded.
func shelfOf(before func(enginetest.Call) error, opening func(path string)) dependencies {
	return dependencies{
		locate: func(_ context.Context, id string, _ func(string, float64)) (string, error) {
			if id == "absent" {
				return "", errors.New("the hub does not know it")
			}
			return id, nil
		},
		openText: func(path, _ string) (messages.Renderer, error) {
			if path == "unreadable" {
				return nil, errors.New("tokenizer.json is damaged")
			}
			return byteText{}, nil
		},
		openModel: func(_ config.MLX, path string, _ func(string, float64)) (engine.Model, error) {
			opening(path)
			if path == "large" {
				return nil, errors.New("it takes 900 GB")
			}
			said := "I am " + path + "."
			return enginetest.New(enginetest.Config{Name: path, Answer: enginetest.Say(said), Before: before}), nil
		},
		kept: func() ([]keptModel, error) {
			return []keptModel{{ID: "one"}, {ID: "two", Context: 4096}, {ID: "large"}, {ID: "damaged", Problem: "it ends too early"}}, nil
		},
	}
}

// asked is what an agent is answered, and how many tokens of its prompt were read.
func (r *running) asked(t *testing.T, agent, text string) (said string, read int) {
	t.Helper()
	return r.askedOf(t, "claude-x", agent, text)
}

// askedOf is asked of the model that a request names.
func (r *running) askedOf(t *testing.T, model, agent, text string) (said string, read int) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(bodyFor(model, text)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Agent-Id", agent)
	answer := send(t, req)
	var got struct {
		Content []struct{ Text string }
		Usage   struct {
			Read int `json:"cache_read_input_tokens"`
		}
	}
	raw := body(t, answer)
	if err := json.Unmarshal([]byte(raw), &got); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", answer.StatusCode, raw)
	}
	return got.Content[0].Text, got.Usage.Read
}

// bodyFor asks a model.
func bodyFor(model, text string) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":40,"messages":[{"role":"user","content":%q}]}`, model, text)
}

// Models are swapped by an operator: each finds its agents again.
func TestAnOperatorSwapsModels(t *testing.T) {
	r := swappable(t)
	long := strings.Repeat("history ", 100)
	if said, _ := r.asked(t, "a", long); said != "I am one." {
		t.Fatal(said)
	}
	r.durable(t, "/v1/agents/a")
	printed, err := r.command(t, "models", "load", "two")
	if err != nil || !strings.Contains(printed, "two") {
		t.Fatalf("%v %s", err, printed)
	}
	if said, read := r.asked(t, "a", long); said != "I am two." || read != 0 {
		t.Errorf("%q, %d tokens read", said, read)
	}
	if status, text := r.call(t, http.MethodPost, "/admin/models/load", "", `{"id":"one","hold":true}`); status != http.StatusOK || !strings.Contains(text, `"name":"one"`) {
		t.Fatalf("%d %s", status, text)
	}
	if said, read := r.asked(t, "a", long); said != "I am one." || read != len(long) {
		t.Errorf("%q, %d of %d tokens read", said, read, len(long)+1)
	}
	if printed, err = r.command(t, "models", "current"); err != nil || !strings.Contains(printed, "one") {
		t.Errorf("%v %s", err, printed)
	}
}

// What can't be loaded is told by its reason, and the loaded model goes on.
func TestAModelThatCannotBeLoadedIsTold(t *testing.T) {
	r := swappable(t)
	for id, want := range map[string]struct {
		status int
		words  string
	}{
		"absent": {404, "the hub does not know it"}, "unreadable": {422, "tokenizer.json is damaged"}, "large": {503, "it takes 900 GB"},
	} {
		status, text := r.call(t, http.MethodPost, "/admin/models/load", "", fmt.Sprintf(`{"id":%q}`, id))
		if status != want.status || !strings.Contains(text, want.words) {
			t.Errorf("%s: %d %s", id, status, text)
		}
		if said, _ := r.asked(t, "a", "hello"); said != "I am one." {
			t.Errorf("after %s: %q", id, said)
		}
	}
	if status, text := r.call(t, http.MethodGet, "/admin/models", "", ""); status != http.StatusOK || !strings.Contains(text, `"id":"one"`) {
		t.Errorf("%d %s", status, text)
	}
}

// While models are swapped clients get whole answers of one or the other, or are told to come again; with hold they only wait.
func TestClientsDuringSwaps(t *testing.T) {
	r := swappable(t)
	for _, hold := range []bool{true, false} {
		stop, refused := make(chan struct{}), make(chan int, 4)
		var asking sync.WaitGroup
		for i := range 4 {
			asking.Go(func() {
				n := 0
				defer func() { refused <- n }()
				for {
					select {
					case <-stop:
						return
					default:
					}
					status, text := r.call(t, http.MethodPost, "/v1/messages", "", fmt.Sprintf(`{"model":"claude-x","max_tokens":40,"messages":[{"role":"user","content":"%d"}]}`, i))
					switch {
					case status == http.StatusOK && (strings.Contains(text, `"I am one."`) || strings.Contains(text, `"I am two."`)):
					case status == http.StatusServiceUnavailable && strings.Contains(text, "overloaded_error"):
						n++
					default:
						t.Errorf("%d %s", status, text)
					}
				}
			})
		}
		for i := range 10 {
			if status, text := r.call(t, http.MethodPost, "/admin/models/load", "", fmt.Sprintf(`{"id":%q,"hold":%v}`, []string{"two", "one"}[i%2], hold)); status != http.StatusOK {
				t.Errorf("%d %s", status, text)
			}
		}
		close(stop)
		asking.Wait()
		n := 0
		for range 4 {
			n += <-refused
		}
		t.Logf("hold %v: %d requests were told to come again", hold, n)
	}
}
