// Command go is the suite of the official Go SDK against a served model. It is a module of its own, so that
// the server's never depends on the SDK.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"
)

const (
	model  = "claude-3-5-sonnet-20241022"
	answer = 48 // tokens that are enough for an answer
)

var (
	base    = os.Getenv("SDK_BASE_URL")
	key     = os.Getenv("SDK_API_KEY")
	version string // the API version of the last request
	client  = newClient(option.WithAPIKey(key))
	bg      = context.Background()
)

func newClient(with option.RequestOption) anthropic.Client {
	return anthropic.NewClient(with, option.WithBaseURL(base), option.WithMaxRetries(0), option.WithRequestTimeout(time.Minute),
		option.WithMiddleware(func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
			version = r.Header.Get("anthropic-version")
			return next(r)
		}))
}

// must ends a check.
func must(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Errorf(format, args...))
	}
}

func same[T comparable](got, want T) { must(got == want, "got %v, want %v", got, want) }

func check(err error) { must(err == nil, "%v", err) }

func user(text string) anthropic.MessageParam {
	return anthropic.NewUserMessage(anthropic.NewTextBlock(text))
}

func assistant(text string) anthropic.MessageParam {
	return anthropic.NewAssistantMessage(anthropic.NewTextBlock(text))
}

// newRequest returns a request for the capital of France with changes.
func newRequest(changes ...func(*anthropic.MessageNewParams)) anthropic.MessageNewParams {
	p := anthropic.MessageNewParams{
		Model: model, MaxTokens: answer, Messages: []anthropic.MessageParam{user("What is the capital of France?")},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func withLimit(n int64) func(*anthropic.MessageNewParams) {
	return func(p *anthropic.MessageNewParams) { p.MaxTokens = n }
}

func withTurns(turns ...anthropic.MessageParam) func(*anthropic.MessageNewParams) {
	return func(p *anthropic.MessageNewParams) { p.Messages = turns }
}

func withSystem(system string) func(*anthropic.MessageNewParams) {
	return func(p *anthropic.MessageNewParams) { p.System = []anthropic.TextBlockParam{{Text: system}} }
}

func withStops(at ...string) func(*anthropic.MessageNewParams) {
	return func(p *anthropic.MessageNewParams) { p.StopSequences = at }
}

func schema() anthropic.ToolInputSchemaParam {
	return anthropic.ToolInputSchemaParam{
		Properties: map[string]any{"place": map[string]any{"type": "string"}}, Required: []string{"place"},
	}
}

func withTool(choice anthropic.ToolChoiceUnionParam) func(*anthropic.MessageNewParams) {
	return func(p *anthropic.MessageNewParams) {
		p.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(schema(), "get_weather")}
		p.ToolChoice = choice
	}
}

func create(changes ...func(*anthropic.MessageNewParams)) *anthropic.Message {
	message, err := client.Messages.New(bg, newRequest(changes...))
	check(err)
	return message
}

func textOf(m *anthropic.Message) string {
	var text strings.Builder
	for _, block := range m.Content {
		text.WriteString(block.Text)
	}
	return text.String()
}

func promptTokens(u anthropic.Usage) int64 {
	return u.InputTokens + u.CacheCreationInputTokens + u.CacheReadInputTokens
}

// collect accumulates a stream with the SDK's own helper.
func collect(stream *ssestream.Stream[anthropic.MessageStreamEventUnion]) (final anthropic.Message, kinds []string, pieces []string) {
	defer stream.Close()
	for stream.Next() {
		event := stream.Current()
		kinds = append(kinds, event.Type)
		check(final.Accumulate(event))
		if delta, ok := event.AsAny().(anthropic.ContentBlockDeltaEvent); ok {
			pieces = append(pieces, delta.Delta.Text)
		}
	}
	check(stream.Err())
	return final, kinds, pieces
}

// wantError demands the SDK's error with the server's request id and Anthropic's envelope.
func wantError(err error, status int, kind anthropic.ErrorType, words string) {
	var got *anthropic.Error
	must(errors.As(err, &got), "not the SDK's error: %v", err)
	same(got.StatusCode, status)
	same(got.Type(), kind)
	must(got.RequestID != "", "the error has no request id")
	var body struct {
		Type      string
		RequestID string `json:"request_id"`
		Error     struct{ Message string }
	}
	check(json.Unmarshal([]byte(got.RawJSON()), &body))
	same(body.Type, "error")
	same(body.RequestID, got.RequestID)
	must(strings.Contains(body.Error.Message, words), "says %q", body.Error.Message)
}

func checkVersion() {
	create(withLimit(1))
	same(version, os.Getenv("SDK_API_VERSION"))
}

func checkAnswer() {
	m := create()
	must(strings.Contains(textOf(m), "Paris"), "says %q", textOf(m))
	same(m.StopReason, anthropic.StopReasonEndTurn)
	same(m.StopSequence, "")
	same(string(m.Model), model)
	same(string(m.Role), "assistant")
	must(strings.HasPrefix(m.ID, "msg_") && m.Usage.OutputTokens > 0, "id %q, usage %v", m.ID, m.Usage.OutputTokens)
}

func checkStream() {
	whole := create()
	final, kinds, pieces := collect(client.Messages.NewStreaming(bg, newRequest()))
	same(strings.Join(pieces, ""), textOf(whole))
	same(textOf(&final), textOf(whole))
	must(len(pieces) > 3, "the text came in %d pieces", len(pieces))
	same(final.StopReason, whole.StopReason)
	same(promptTokens(final.Usage), promptTokens(whole.Usage))
	same(final.Usage.OutputTokens, whole.Usage.OutputTokens)
	once := slices.DeleteFunc(kinds, func(k string) bool { return k == "ping" || k == "content_block_delta" })
	same(strings.Join(once, " "), "message_start content_block_start content_block_stop message_delta message_stop")
}

func checkCount() {
	auto := anthropic.ToolChoiceUnionParam{OfAuto: &anthropic.ToolChoiceAutoParam{}}
	for _, change := range []func(*anthropic.MessageNewParams){withLimit(1), withSystem("Be brief."), withTool(auto)} {
		p := newRequest(change, withLimit(1))
		count := anthropic.MessageCountTokensParams{Model: p.Model, Messages: p.Messages}
		if p.System != nil {
			count.System = anthropic.MessageCountTokensParamsSystemUnion{OfTextBlockArray: p.System}
		}
		if p.Tools != nil {
			count.Tools = []anthropic.MessageCountTokensToolUnionParam{anthropic.MessageCountTokensToolParamOfTool(schema(), "get_weather")}
		}
		got, err := client.Messages.CountTokens(bg, count)
		check(err)
		message, err := client.Messages.New(bg, p)
		check(err)
		same(got.InputTokens, promptTokens(message.Usage))
	}
}

func checkSystem() {
	word := withTurns(user("What is the secret word?"))
	must(!strings.Contains(textOf(create(word)), "banana"), "knows the word already")
	got := textOf(create(word, withSystem("The secret word is banana.")))
	must(strings.Contains(got, "banana"), "says %q", got)
}

func checkCacheControl() {
	m := create(withLimit(1), func(p *anthropic.MessageNewParams) {
		p.System = []anthropic.TextBlockParam{{Text: "You know geography.", CacheControl: anthropic.NewCacheControlEphemeralParam()}}
	})
	must(m.Usage.CacheCreationInputTokens+m.Usage.CacheReadInputTokens > 0, "nothing is counted for the cache")
	same(promptTokens(m.Usage), promptTokens(create(withLimit(1), withSystem("You know geography.")).Usage))
}

func checkStops() {
	before, _, found := strings.Cut(textOf(create()), "Paris")
	must(found, "no Paris")
	m := create(withStops("Berlin", "Paris"))
	final, _, _ := collect(client.Messages.NewStreaming(bg, newRequest(withStops("Paris"))))
	for _, got := range []*anthropic.Message{m, &final} {
		same(got.StopReason, anthropic.StopReasonStopSequence)
		same(got.StopSequence, "Paris")
		same(textOf(got), before)
	}
}

func checkLimit() {
	m := create(withLimit(3))
	same(m.StopReason, anthropic.StopReasonMaxTokens)
	same(m.Usage.OutputTokens, 3)
	must(textOf(m) != "" && strings.HasPrefix(textOf(create()), textOf(m)), "says %q", textOf(m))
}

func checkWarm() {
	m := create(withLimit(0))
	same(len(m.Content), 0)
	same(m.StopReason, anthropic.StopReasonMaxTokens)
	same(m.Usage.OutputTokens, 0)
}

func checkTurns() {
	got := textOf(create(withTurns(user("My name is Ada."), assistant("Nice to meet you, Ada!"), user("What is my name?"))))
	must(strings.Contains(got, "Ada"), "says %q", got)
}

func checkPrefill() {
	got := textOf(create(withLimit(4), withTurns(user("What is the capital of France?"), assistant("The capital of France is the city of"))))
	must(strings.HasPrefix(strings.TrimSpace(got), "Paris"), "says %q", got)
}

func checkTools() {
	auto := anthropic.ToolChoiceUnionParam{OfAuto: &anthropic.ToolChoiceAutoParam{}}
	same(create(withTool(anthropic.ToolChoiceUnionParam{}), withLimit(4)).StopReason, anthropic.StopReasonMaxTokens)
	same(create(withTool(auto), withLimit(4)).StopReason, anthropic.StopReasonMaxTokens)
	none := anthropic.NewToolChoiceNoneParam()
	same(textOf(create(withTool(anthropic.ToolChoiceUnionParam{OfNone: &none}))), textOf(create()))
}

func checkForced() {
	for _, choice := range []anthropic.ToolChoiceUnionParam{
		{OfAny: &anthropic.ToolChoiceAnyParam{}}, anthropic.ToolChoiceParamOfTool("get_weather"),
	} {
		m := create(withTool(choice), withLimit(400))
		same(m.StopReason, anthropic.StopReasonToolUse)
		for _, block := range m.Content {
			var input struct{ Place *string }
			must(json.Unmarshal(block.Input, &input) == nil && input.Place != nil && block.Name == "get_weather", "calls %s(%s)", block.Name, block.Input)
		}
	}
	_, err := client.Messages.New(bg, newRequest(withTool(anthropic.ToolChoiceParamOfTool("other"))))
	wantError(err, 400, anthropic.ErrorTypeInvalidRequestError, "tool_choice")
}

func checkKeys() {
	stranger := newClient(option.WithAPIKey("not-the-key"))
	_, err := stranger.Messages.New(bg, newRequest())
	wantError(err, 401, anthropic.ErrorTypeAuthenticationError, "")
	stream := stranger.Messages.NewStreaming(bg, newRequest())
	must(!stream.Next(), "a stream for a wrong key")
	wantError(stream.Err(), 401, anthropic.ErrorTypeAuthenticationError, "")
}

func checkBearer() {
	friend := newClient(option.WithAuthToken(key))
	m, err := friend.Messages.New(bg, newRequest(withLimit(1)))
	check(err)
	same(m.Usage.OutputTokens, 1)
}

func checkModel() {
	_, err := client.Messages.New(bg, newRequest(func(p *anthropic.MessageNewParams) { p.Model = "gpt-4o" }))
	wantError(err, 404, anthropic.ErrorTypeNotFoundError, "gpt-4o")
}

func checkBad() {
	for _, bad := range []struct {
		change func(*anthropic.MessageNewParams)
		words  string
	}{
		{withLimit(-1), "max_tokens"},
		{withTurns(), "messages"},
		{withTurns(anthropic.MessageParam{Role: "robot", Content: user("x").Content}), "messages.0.role"},
		{func(p *anthropic.MessageNewParams) { p.Temperature = anthropic.Float(7) }, "temperature"},
		{withTurns(user(strings.Repeat("word ", 9000))), ""},
	} {
		_, err := client.Messages.New(bg, newRequest(bad.change))
		wantError(err, 400, anthropic.ErrorTypeInvalidRequestError, bad.words)
	}
	stream := client.Messages.NewStreaming(bg, newRequest(withLimit(-1)))
	must(!stream.Next(), "a stream for a bad request")
	wantError(stream.Err(), 400, anthropic.ErrorTypeInvalidRequestError, "max_tokens")
}

func checkGone() {
	story := newRequest(withLimit(2000), withTurns(user("Tell me a long story about a lighthouse.")))
	for range 6 {
		stream := client.Messages.NewStreaming(bg, story)
		for stream.Next() && stream.Current().Type != "content_block_delta" {
		}
		check(stream.Err())
		check(stream.Close())
	}
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(fetch("/metrics"), "\nsemantic_slots_busy_ratio 0\n"); {
		must(time.Now().Before(deadline), "the server still works for clients that left")
		time.Sleep(50 * time.Millisecond)
	}
	must(strings.Contains(fetch("/health/ready"), `"status":"ready"`), "not ready")
	checkAnswer()
}

func fetch(path string) string {
	response, err := http.Get(base + path)
	check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(err)
	return string(body)
}

// passes runs a check and tells how it went.
func passes(name string, run func()) (ok bool) {
	defer func() {
		if why := recover(); why != nil {
			fmt.Printf("FAIL %s: %s\n", name, strings.Join(strings.Fields(fmt.Sprint(why)), " "))
		}
	}()
	run()
	fmt.Println("ok", name)
	return true
}

func main() {
	failed := false
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"API version", checkVersion}, {"answer", checkAnswer}, {"stream helper", checkStream}, {"count_tokens", checkCount},
		{"system prompt", checkSystem}, {"cache_control", checkCacheControl}, {"stop_sequences", checkStops},
		{"max_tokens", checkLimit}, {"max_tokens 0", checkWarm}, {"several turns", checkTurns}, {"prefill", checkPrefill},
		{"tools", checkTools}, {"forced tool_choice", checkForced}, {"wrong key", checkKeys}, {"bearer token", checkBearer},
		{"unknown model", checkModel}, {"bad requests", checkBad}, {"client gone", checkGone},
	} {
		failed = !passes(c.name, c.run) || failed
	}
	fmt.Println("done")
	if failed {
		os.Exit(1)
	}
}
