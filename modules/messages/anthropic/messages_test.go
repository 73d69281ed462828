package anthropic_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
)

type answer struct {
	ID           string
	Type, Role   string
	Model        string
	Content      []struct{ Type, Text string }
	StopReason   string  `json:"stop_reason"`
	StopSequence *string `json:"stop_sequence"`
	Usage        struct {
		Input    int `json:"input_tokens"`
		Creation int `json:"cache_creation_input_tokens"`
		Read     int `json:"cache_read_input_tokens"`
		Output   int `json:"output_tokens"`
	}
}

// said is the text of an answer.
func (a answer) said() string {
	var all string
	for _, block := range a.Content {
		all += block.Text
	}
	return all
}

func parse(t *testing.T, got *http.Response) (a answer) {
	t.Helper()
	raw := text(t, got)
	if err := json.Unmarshal([]byte(raw), &a); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %q, %v", got.StatusCode, raw, err)
	}
	return a
}

func TestAConversationIsAnswered(t *testing.T) {
	server := serve(t, setup{})
	got := parse(t, post(t, server, "/v1/messages", with("max_tokens", "100", "temperature", "0")))
	if got.Type != "message" || got.Role != "assistant" || got.Model != "memory" || !strings.HasPrefix(got.ID, "msg_") {
		t.Errorf("%+v", got)
	}
	if got.said() != "Hello, world!" || got.StopReason != "end_turn" || got.StopSequence != nil {
		t.Errorf("%+v", got)
	}
	if got.Usage.Input != len("user:hi")+1 || got.Usage.Output != 14 {
		t.Errorf("usage %+v", got.Usage)
	}
}

func TestAcceptedForms(t *testing.T) {
	server := serve(t, setup{})
	cases := map[string]string{
		"the runbook's model":         with("model", `"claude-3-5-sonnet-20241022"`),
		"an alias of the settings":    with("model", `"house-model"`),
		"system as a string":          with("system", `"be brief"`),
		"system as blocks":            with("system", `[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral","ttl":"1h"}}]`),
		"system null":                 with("system", "null"),
		"a system message inside":     with("messages", `[{"role":"user","content":"hi"},{"role":"system","content":"be brief"}]`),
		"turns of the same role":      with("messages", `[{"role":"user","content":"hi"},{"role":"user","content":"you"}]`),
		"an answer begun":             with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":"Well"}]`),
		"an empty answer begun":       with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":""}]`),
		"thinking of an earlier one":  with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"yes"}]},{"role":"user","content":"go"}]`),
		"tools":                       with("tools", `[{"name":"f","description":"d","input_schema":{"type":"object"}}]`, "tool_choice", `{"type":"auto","disable_parallel_tool_use":true}`),
		"a tool's result":             with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[{"type":"text","text":"no"}]}]}]`),
		"fields of other servers":     with("thinking", `{"type":"adaptive"}`, "service_tier", `"auto"`, "context_management", `{}`),
		"cache_control of the whole":  with("cache_control", `{"type":"ephemeral"}`),
		"sampling":                    with("temperature", "0.5", "top_p", "0.9", "top_k", "5", "min_p", "0.1", "seed", "-7"),
		"a whole number with a point": with("max_tokens", "3.0", "top_k", "4e0"),
		"keys in other letters":       with("Max_Tokens", `"no"`, "MESSAGES", "5", "Stop_Sequences", `[""]`),
		"an effort":                   with("output_config", `{"effort":"low","format":null}`),
		"a system turn of settings":   with("messages", `[{"role":"user","content":"hi"},{"role":"system","content":[],"output_config":{"effort":"high"}}]`),
		"settings without content":    with("messages", `[{"role":"system","output_config":{"effort":"high"}},{"role":"user","content":"hi"}]`),
		"an empty system turn":        with("messages", `[{"role":"user","content":"hi"},{"role":"system","content":""}]`, "cache_control", `{"type":"ephemeral"}`),
		"hidden thoughts only":        with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"redacted_thinking","data":"x"}]},{"role":"user","content":"go"}]`),
		"hidden thoughts last":        with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"redacted_thinking","data":"x"}]}]`),
		"a pair of surrogates":        with("metadata", `{"user_id":"\ud83d\ude00"}`),
		"a body as it is":             with("stop_sequences", "null", "tools", "null", "stream", "null"),
		"an agent":                    with("metadata", `{"user_id":"me"}`),
		"no user":                     with("metadata", `{"user_id":null}`),
	}
	for name, body := range cases {
		t.Run(name, func(t *testing.T) { parse(t, post(t, server, "/v1/messages", body)) })
	}
	headers := map[string][]string{
		"the first API version":  {"Anthropic-Version", "2023-06-01"},
		"the second API version": {"Anthropic-Version", "2026-10-21"},
		"a bearer token":         {"X-Api-Key", "", "Authorization", "Bearer " + key},
		"a charset":              {"Content-Type", "application/json; charset=utf-8"},
	}
	for name, header := range headers {
		t.Run(name, func(t *testing.T) { parse(t, post(t, server, "/v1/messages?beta=true", with(), header...)) })
	}
}

func TestUsagePartsAddUpToThePrompt(t *testing.T) {
	server := serve(t, setup{})
	got := parse(t, post(t, server, "/v1/messages", with("system", `[{"type":"text","text":"four","cache_control":{"type":"ephemeral"}}]`)))
	if got.Usage.Creation != len("system:four") || got.Usage.Input != len("user:hi")+1 || got.Usage.Read != 0 {
		t.Errorf("%+v", got.Usage)
	}
}

// Asked again, all but the last token of the prompt is read, and the first event of a stream says so already.
func TestUsageTellsWhatWasRead(t *testing.T) {
	server := serve(t, setup{Engine: func(c *engine.Config) {
		c.Tenant = func(name string) *kv.Tenant { return kv.NewTenant([]byte("cluster"), name) }
	}})
	marked := []string{"system", `[{"type":"text","text":"four","cache_control":{"type":"ephemeral"}}]`}
	prompt := len("system:four" + "user:hi" + "?")
	first := parse(t, post(t, server, "/v1/messages", with(marked...))).Usage
	if first.Creation != len("system:four") || first.Read != 0 || first.Input+first.Creation != prompt {
		t.Errorf("at first: %+v of %d tokens", first, prompt)
	}
	again := parse(t, post(t, server, "/v1/messages", with(marked...))).Usage
	if again.Read != prompt-1 || again.Creation != 0 || again.Input != 1 {
		t.Errorf("again: %+v of %d tokens", again, prompt)
	}
	events := readEvents(t, post(t, server, "/v1/messages", with(append(marked, "stream", "true")...)))
	opening, closing := events[0].data.Message.Usage, events[len(events)-2].data.Usage
	if opening.Read != prompt-1 || opening.Input != 1 || opening.Output != 0 {
		t.Errorf("message_start: %+v of %d tokens", opening, prompt)
	}
	if closing == nil || closing.Read != prompt-1 || closing.Input != 1 || closing.Output != again.Output {
		t.Errorf("message_delta: %+v of %d tokens", closing, prompt)
	}
}

func TestStopSequencesAndPreWarming(t *testing.T) {
	server := serve(t, setup{})
	got := parse(t, post(t, server, "/v1/messages", with("max_tokens", "50", "temperature", "0", "stop_sequences", `[", w"]`)))
	if got.said() != "Hello" || got.StopReason != "stop_sequence" || got.StopSequence == nil || *got.StopSequence != ", w" {
		t.Errorf("%+v", got)
	}
	got = parse(t, post(t, server, "/v1/messages", with("max_tokens", "0")))
	if got.said() != "" || got.StopReason != "max_tokens" || got.Usage.Output != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTokensAreCounted(t *testing.T) {
	server := serve(t, setup{})
	got := text(t, post(t, server, "/v1/messages/count_tokens", with("max_tokens", "")))
	if want := fmt.Sprintf("{\"input_tokens\":%d}\n", len("user:hi")+1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	checkError(t, post(t, server, "/v1/messages/count_tokens", with("messages", "[]"), "X-Request-Id", "mine-1"),
		http.StatusBadRequest, "invalid_request_error", "messages")
}

type event struct {
	name string
	data struct {
		Type    string
		Index   int
		Message answer
		Delta   struct {
			Type, Text   string
			StopReason   string  `json:"stop_reason"`
			StopSequence *string `json:"stop_sequence"`
		}
		Usage *struct {
			Input  int `json:"input_tokens"`
			Read   int `json:"cache_read_input_tokens"`
			Output int `json:"output_tokens"`
		}
		Error     struct{ Type, Message string }
		RequestID string `json:"request_id"`
	}
}

// readEvents reads a stream to its end.
func readEvents(t *testing.T, got *http.Response) (events []event) {
	t.Helper()
	lines := bufio.NewScanner(got.Body)
	for lines.Scan() {
		name, found := strings.CutPrefix(lines.Text(), "event: ")
		if !found || !lines.Scan() {
			t.Fatalf("not an event: %q", lines.Text())
		}
		e := event{name: name}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(lines.Text(), "data: ")), &e.data); err != nil {
			t.Fatal(err)
		}
		if e.data.Type != name {
			t.Errorf("event %q has type %q", name, e.data.Type)
		}
		events = append(events, e)
		lines.Scan()
	}
	return events
}

// names lists the events, each run of the same once.
func names(events []event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.name)
	}
	return slices.Compact(all)
}

func spoken(events []event) (text string) {
	for _, e := range events {
		text += e.data.Delta.Text
	}
	return text
}

func TestAStreamHasTheEventsThatClientsNeed(t *testing.T) {
	server := serve(t, setup{})
	got := post(t, server, "/v1/messages", with("stream", "true", "max_tokens", "100", "temperature", "0"))
	if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		t.Errorf("Content-Type %q", kind)
	}
	events := readEvents(t, got)
	want := []string{"message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"}
	if !slices.Equal(names(events), want) {
		t.Fatalf("events %v", names(events))
	}
	if events[0].data.Message.Usage.Input != len("user:hi")+1 || spoken(events) != "Hello, world!" {
		t.Errorf("%+v says %q", events[0].data.Message.Usage, spoken(events))
	}
	last := events[len(events)-2].data
	if last.Delta.StopReason != "end_turn" || last.Usage == nil || last.Usage.Output != 14 {
		t.Errorf("message_delta %+v", last)
	}
}

func TestAStreamWithoutTextHasNoBlock(t *testing.T) {
	server := serve(t, setup{})
	events := readEvents(t, post(t, server, "/v1/messages", with("stream", "true", "max_tokens", "0")))
	if want := []string{"message_start", "ping", "message_delta", "message_stop"}; !slices.Equal(names(events), want) {
		t.Fatalf("events %v", names(events))
	}
}

func TestAFailureOfTheModelIsTold(t *testing.T) {
	failing := func(c enginetest.Call) error {
		if c.Decode {
			return errors.New("secret detail")
		}
		return nil
	}
	server := serve(t, setup{Model: enginetest.Config{Before: failing}})
	checkError(t, post(t, server, "/v1/messages", with(), "X-Request-Id", "mine-1"), http.StatusInternalServerError, "api_error", "")
	events := readEvents(t, post(t, server, "/v1/messages", with("stream", "true"), "X-Request-Id", "mine-1"))
	last := events[len(events)-1]
	if last.name != "error" || last.data.Error.Type != "api_error" || last.data.RequestID != "mine-1" {
		t.Errorf("the last event is %+v", last)
	}
	if strings.Contains(last.data.Error.Message, "secret") {
		t.Errorf("it tells too much: %q", last.data.Error.Message)
	}
}

func TestAFullQueueIsOverloaded(t *testing.T) {
	gate := make(chan struct{})
	entered := make(chan struct{}, 100)
	server := serve(t, setup{
		Model:  enginetest.Config{Before: func(enginetest.Call) error { entered <- struct{}{}; <-gate; return nil }},
		Engine: func(c *engine.Config) { c.MaxBatch, c.MaxQueue = 1, 1 },
	})
	first := post(t, server, "/v1/messages", with("stream", "true"))
	<-entered
	second := post(t, server, "/v1/messages", with("stream", "true"))
	refused := post(t, server, "/v1/messages", with("stream", "true"))
	if refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, retry-after %q", refused.StatusCode, refused.Header.Get("Retry-After"))
	}
	if body := text(t, refused); !strings.Contains(body, "overloaded_error") {
		t.Error(body)
	}
	close(gate)
	for _, stream := range []*http.Response{first, second} {
		if events := readEvents(t, stream); events[len(events)-1].name != "message_stop" {
			t.Errorf("%v", names(events))
		}
	}
}

func TestRateLimitsAreTold(t *testing.T) {
	server := serve(t, setup{Limits: ratelimit.Config{PerCaller: 2}})
	for range 2 {
		got := post(t, server, "/v1/messages", with())
		if parse(t, got); got.Header.Get("Anthropic-Ratelimit-Requests-Limit") != "2" {
			t.Errorf("headers %v", got.Header)
		}
	}
	got := post(t, server, "/v1/messages", with(), "X-Request-Id", "mine-1")
	if got.Header.Get("Retry-After") == "" {
		t.Error("no retry-after")
	}
	checkError(t, got, http.StatusTooManyRequests, "rate_limit_error", "retry")
	parse(t, post(t, server, "/v1/messages", with(), "X-Agent-Id", "another"))
	parse(t, post(t, server, "/v1/messages", with("metadata", `{"user_id":"a third"}`)))
}

func TestAClientThatLeavesIsNoFailureOfTheServer(t *testing.T) {
	gate, entered := make(chan struct{}), make(chan struct{}, 1000)
	server := serve(t, setup{Model: enginetest.Config{Before: func(enginetest.Call) error {
		entered <- struct{}{}
		<-gate
		return nil
	}}})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/messages", strings.NewReader(with()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", key)
	go func() { <-entered; leave() }()
	if answer, err := server.Client().Do(req); err == nil {
		t.Errorf("status %d", answer.StatusCode)
	}
	for status := range server.Statuses {
		if status == 499 {
			break
		}
		t.Errorf("status %d", status)
	}
	close(gate)
}

// Defaults of common clients go beyond the context; the answer then ends with it, in a stream too and for each version.
func TestAnAnswerThatMayBeLongerThanTheWindowIsGiven(t *testing.T) {
	server := serve(t, setup{Model: enginetest.Config{Context: 100, NoEnd: true, Answer: func([]int32) int32 { return 'x' }}})
	for _, most := range []string{"101", "32000", "64000", "128000", "2147483647"} {
		for _, version := range []string{"2023-06-01", "2026-10-21"} {
			got := parse(t, post(t, server, "/v1/messages", with("max_tokens", most), "Anthropic-Version", version))
			if got.StopReason != "model_context_window_exceeded" || got.Usage.Input+got.Usage.Output != 100 {
				t.Errorf("max_tokens %s: %+v", most, got)
			}
		}
	}
	events := readEvents(t, post(t, server, "/v1/messages", with("max_tokens", "64000", "stream", "true")))
	if last := events[len(events)-2].data; last.Delta.StopReason != "model_context_window_exceeded" {
		t.Errorf("message_delta %+v", last)
	}
}

// What says nothing is not part of the prompt, and changes no token.
func TestEmptyTurnsChangeNothing(t *testing.T) {
	server := serve(t, setup{})
	count := func(turns string) string {
		return text(t, post(t, server, "/v1/messages/count_tokens", with("max_tokens", "", "messages", turns)))
	}
	want := count(`[{"role":"user","content":"hi"},{"role":"user","content":"go"}]`)
	for _, between := range []string{
		`{"role":"system","content":[]}`, `{"role":"system","content":"","output_config":{"effort":"low"}}`, `{"role":"system","output_config":{}}`,
		`{"role":"assistant","content":[{"type":"redacted_thinking","data":"x"},{"type":"redacted_thinking","data":"y"}]}`,
	} {
		if got := count(`[{"role":"user","content":"hi"},` + between + `,{"role":"user","content":"go"}]`); got != want {
			t.Errorf("with %s: %s, without %s", between, got, want)
		}
	}
}

func TestTopPOfZeroTakesTheMostLikelyToken(t *testing.T) {
	server := serve(t, setup{Model: enginetest.Config{NoEnd: true, Answer: func([]int32) int32 { return -1 }}})
	greedy := parse(t, post(t, server, "/v1/messages", with("max_tokens", "40", "temperature", "0"))).said()
	for _, zero := range []string{"0", "0.0", "-0.0", "0e5"} {
		if got := parse(t, post(t, server, "/v1/messages", with("max_tokens", "40", "temperature", "1", "top_p", zero))).said(); got != greedy {
			t.Errorf("top_p %s: %q, want %q", zero, got, greedy)
		}
	}
	if got := parse(t, post(t, server, "/v1/messages", with("max_tokens", "40", "temperature", "1", "seed", "1"))).said(); got == greedy {
		t.Error("the model is too sure of its tokens to tell anything")
	}
}
