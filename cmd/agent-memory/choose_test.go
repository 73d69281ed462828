package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// openings are the models that a server loaded, in order.
type openings struct {
	mu    sync.Mutex
	paths []string
}

func (o *openings) note(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paths = append(o.paths, path)
}

func (o *openings) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.paths)
}

func (o *openings) of(path string) (n int) {
	for _, opened := range o.all() {
		if opened == path {
			n++
		}
	}
	return n
}

// choosable runs a server on the models of swappable whose requests have others loaded.
func choosable(t *testing.T, before func(enginetest.Call) error, waitSeconds int) (*running, *openings) {
	t.Helper()
	opened := &openings{}
	if before == nil {
		before = func(enginetest.Call) error { return nil }
	}
	r := beginOn(t, shelfOf(before, opened.note), func(c *config.Config) {
		c.MLX.ModelID, c.Server.UnknownModel, c.Server.MaxWaitSeconds, c.Server.MaxQueue = "one", "swap", waitSeconds, 100
	})
	r.awaitReadiness(t, "")
	return r, opened
}

// Two agents that alternate between two models are both answered, each by its own, and find their memory.
func TestAgentsOfTwoModelsAlternate(t *testing.T) {
	r, opened := choosable(t, nil, 60)
	long := map[string]string{"one": strings.Repeat("history ", 100), "two": strings.Repeat("a story ", 90)}
	for round := range 3 {
		for _, model := range []string{"one", "two"} {
			wanted := 0
			if round > 0 {
				wanted = len(long[model])
			}
			if said, read := r.askedOf(t, model, "of "+model, long[model]); said != "I am "+model+"." || read != wanted {
				t.Errorf("round %d: %q, %d of %d tokens read", round, said, read, wanted)
			}
		}
	}
	if all := opened.all(); !slices.Equal(all, []string{"one", "two", "one", "two", "one", "two"}) {
		t.Errorf("loaded were %v", all)
	}
	if said, _ := r.asked(t, "any", "hello"); said != "I am two." {
		t.Errorf("an alias is answered by whichever is loaded: %q", said)
	}
	if _, text := r.call(t, http.MethodGet, "/v1/models", "", ""); !strings.Contains(text, `"id":"two"`) || !strings.Contains(text, `"id":"one"`) || strings.Contains(text, "damaged") {
		t.Errorf("the models that may be named: %s", text)
	}
	for _, name := range []string{"absent", "damaged"} {
		if status, text := r.call(t, http.MethodPost, "/v1/messages", "", bodyFor(name, "hi")); status != http.StatusNotFound || !strings.Contains(text, name+" is not here") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

// However many clients ask both models at once, each is answered by the one that it named, and a model answers all that wait for it
// before the other one comes back.
func TestModelsAreNotSwappedForEachRequest(t *testing.T) {
	r, opened := choosable(t, nil, 60)
	const clients, each = 8, 6
	var asking sync.WaitGroup
	for i := range clients {
		model := []string{"one", "two"}[i%2]
		asking.Go(func() {
			for n := range each {
				status, text := r.call(t, http.MethodPost, "/v1/messages", "", bodyFor(model, fmt.Sprint(i, n)))
				if status != http.StatusOK || !strings.Contains(text, `"I am `+model+`."`) || !strings.Contains(text, `"model":"`+model+`"`) {
					t.Errorf("%s: %d %s", model, status, text)
				}
			}
		})
	}
	asking.Wait()
	n := len(opened.all())
	t.Logf("%d requests had a model loaded %d times", clients*each, n)
	if n > clients*each/2 {
		t.Errorf("%d is too often", n)
	}
}

// A request whose model's turn does not come in time is told to come again, and what runs is not disturbed.
func TestARequestWaitsForItsModelNoLongerThanForASlot(t *testing.T) {
	gate := make(chan struct{})
	r, opened := choosable(t, func(c enginetest.Call) error {
		if c.Decode {
			<-gate
		}
		return nil
	}, 1)
	first := make(chan string, 1)
	go func() {
		_, text := r.call(t, http.MethodPost, "/v1/messages", "", bodyFor("one", "hi"))
		first <- text
	}()
	for !strings.Contains(body(t, r.get(t, "/metrics")), "semantic_slots_busy_ratio 0.5") {
	}
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(bodyFor("two", "hi")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer := send(t, req)
	if text := body(t, answer); answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || !strings.Contains(text, "another model answers") {
		t.Errorf("%d %s", answer.StatusCode, text)
	}
	close(gate)
	if text := <-first; !strings.Contains(text, "I am one.") || opened.of("two") != 0 {
		t.Errorf("%s, loaded were %v", text, opened.all())
	}
}

// A model that does not load is not tried for each request that names it; an operator may try again.
func TestAModelThatDoesNotLoadIsNotTriedForEachRequest(t *testing.T) {
	r, opened := choosable(t, nil, 60)
	for range 3 {
		if status, text := r.call(t, http.MethodPost, "/v1/messages", "", bodyFor("large", "hi")); status != http.StatusServiceUnavailable || !strings.Contains(text, "can't be loaded") {
			t.Errorf("%d %s", status, text)
		}
	}
	if said, _ := r.askedOf(t, "one", "a", "hi"); said != "I am one." || opened.of("large") != 1 {
		t.Errorf("%q, loaded were %v", said, opened.all())
	}
	if status, _ := r.call(t, http.MethodPost, "/admin/models/load", "", `{"id":"two"}`); status != http.StatusOK {
		t.Fatal(status)
	}
	if status, _ := r.call(t, http.MethodPost, "/v1/messages", "", bodyFor("large", "hi")); status != http.StatusServiceUnavailable || opened.of("large") != 2 {
		t.Errorf("%d, loaded were %v", status, opened.all())
	}
}

// What an operator unloaded no request brings back.
func TestNoRequestLoadsWhatAnOperatorUnloaded(t *testing.T) {
	r, opened := choosable(t, nil, 60)
	if status, text := r.call(t, http.MethodPost, "/admin/models/unload", "", ""); status != http.StatusOK {
		t.Fatal(status, text)
	}
	for _, model := range []string{"one", "two", "claude-x"} {
		if status, text := r.call(t, http.MethodPost, "/v1/messages", "", bodyFor(model, "hi")); status != http.StatusServiceUnavailable || !strings.Contains(text, "an operator unloaded it") {
			t.Errorf("%s: %d %s", model, status, text)
		}
	}
	if all := opened.all(); len(all) != 1 {
		t.Errorf("loaded were %v", all)
	}
	if status, text := r.call(t, http.MethodPost, "/admin/models/load", "", `{"id":"two"}`); status != http.StatusOK {
		t.Fatal(status, text)
	}
	if said, _ := r.askedOf(t, "one", "a", "hi"); said != "I am one." {
		t.Error(said)
	}
}

// Any name may stand for the loaded model, if the settings say so.
func TestAnyNameMayStandForTheLoadedModel(t *testing.T) {
	for _, c := range []struct {
		setting string
		status  int
	}{{"alias", http.StatusOK}, {"refuse", http.StatusNotFound}} {
		r := launch(t, enginetest.Config{Answer: enginetest.Say("the answer")}, func(cfg *config.Config) { cfg.Server.UnknownModel = c.setting })
		if status, text := r.call(t, http.MethodPost, "/v1/messages", "", bodyFor("gpt-7", "hi")); status != c.status || (status == http.StatusOK) != strings.Contains(text, "the answer") {
			t.Errorf("%s: %d %s", c.setting, status, text)
		}
	}
}
