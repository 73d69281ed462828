// Command openai is the suite of OpenAI's official Go SDK against a served model.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

var (
	bg     = context.Background()
	client = newClient(os.Getenv("SDK_API_KEY"))
	model  string
)

func newClient(key string) openai.Client {
	return openai.NewClient(option.WithBaseURL(os.Getenv("SDK_BASE_URL")+"/v1"), option.WithAPIKey(key),
		option.WithMaxRetries(0), option.WithRequestTimeout(time.Minute))
}

// must ends a check.
func must(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Errorf(format, args...))
	}
}

func check(err error) { must(err == nil, "%v", err) }

// request asks for the capital of France, with changes.
func request(changes ...func(*openai.ChatCompletionNewParams)) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{
		Model: model, MaxCompletionTokens: openai.Int(24), Temperature: openai.Float(0),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is the capital of France?")},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func models() {
	page, err := client.Models.List(bg)
	check(err)
	must(len(page.Data) > 0, "no models")
	model = page.Data[0].ID
	one, err := client.Models.Get(bg, model)
	check(err)
	must(one.ID == model, "%q", one.ID)
}

func answers() {
	whole, err := client.Chat.Completions.New(bg, request())
	check(err)
	said := whole.Choices[0].Message.Content
	must(strings.Contains(said, "Paris"), "%q", said)
	stream := client.Chat.Completions.NewStreaming(bg, request(func(p *openai.ChatCompletionNewParams) {
		p.StreamOptions.IncludeUsage = openai.Bool(true)
	}))
	pieces := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		must(pieces.AddChunk(stream.Current()), "a piece does not fit those before it")
	}
	check(stream.Err())
	must(pieces.Choices[0].Message.Content == said, "streamed %q, whole %q", pieces.Choices[0].Message.Content, said)
	must(pieces.Usage.CompletionTokens == whole.Usage.CompletionTokens, "%d tokens streamed, %d whole", pieces.Usage.CompletionTokens, whole.Usage.CompletionTokens)
}

func tools() {
	tool := openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name: "get_weather", Strict: openai.Bool(true),
		Parameters: openai.FunctionParameters{
			"type": "object", "properties": map[string]any{"place": map[string]any{"type": "string", "maxLength": 40}},
			"required": []string{"place"}, "additionalProperties": false,
		},
	})
	turns, before := []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Compare the weather in Rome with that in Paris.")}, int64(0)
	for range 2 {
		answer, err := client.Chat.Completions.New(bg, request(func(p *openai.ChatCompletionNewParams) {
			p.Messages, p.Tools, p.MaxCompletionTokens = turns, []openai.ChatCompletionToolUnionParam{tool}, openai.Int(300)
			p.ToolChoice.OfAuto, p.ParallelToolCalls = openai.String("required"), openai.Bool(false)
		}))
		check(err)
		message := answer.Choices[0].Message
		must(answer.Choices[0].FinishReason == "tool_calls" && len(message.ToolCalls) == 1, "%s", answer.RawJSON())
		var arguments struct{ Place *string }
		check(json.Unmarshal([]byte(message.ToolCalls[0].Function.Arguments), &arguments))
		must(arguments.Place != nil, "%s", message.ToolCalls[0].Function.Arguments)
		must(answer.Usage.PromptTokensDetails.CachedTokens >= before, "read %d, the prompt before had %d", answer.Usage.PromptTokensDetails.CachedTokens, before)
		before = answer.Usage.PromptTokens
		turns = append(turns, message.ToParam(), openai.ToolMessage("22 degrees", message.ToolCalls[0].ID))
	}
}

func ofResponses() {
	how := responses.ResponseNewParams{
		Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("What is the capital of France?")},
		MaxOutputTokens: openai.Int(24), Temperature: openai.Float(0),
	}
	whole, err := client.Responses.New(bg, how)
	check(err)
	must(strings.Contains(whole.OutputText(), "Paris"), "%s", whole.RawJSON())
	stream, text := client.Responses.NewStreaming(bg, how), ""
	for stream.Next() {
		if event := stream.Current(); event.Type == "response.output_text.delta" {
			text += event.Delta
		}
	}
	check(stream.Err())
	must(text == whole.OutputText(), "streamed %q, whole %q", text, whole.OutputText())
}

func continuations() {
	answer, err := client.Completions.New(bg, openai.CompletionNewParams{
		Model: openai.CompletionNewParamsModel(model), Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("The capital of France is")},
		MaxTokens: openai.Int(12), Temperature: openai.Float(0),
	})
	check(err)
	must(strings.Contains(answer.Choices[0].Text, "Paris"), "%q", answer.Choices[0].Text)
}

func failures() {
	for _, test := range []struct {
		client openai.Client
		with   openai.ChatCompletionNewParams
		status int
		code   string
	}{
		{client, request(func(p *openai.ChatCompletionNewParams) { p.Model = "gpt-4o" }), 404, "model_not_found"},
		{client, request(func(p *openai.ChatCompletionNewParams) {
			p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage(strings.Repeat("long ", 20000))}
		}), 400, "context_length_exceeded"},
		{newClient("wrong"), request(), 401, "invalid_api_key"},
	} {
		_, err := test.client.Chat.Completions.New(bg, test.with)
		var failed *openai.Error
		must(errors.As(err, &failed) && failed.StatusCode == test.status && failed.Code == test.code, "%d %s: %v", test.status, test.code, err)
	}
}

// run runs a check, which panics if it fails.
func run(name string, what func()) (ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Printf("FAIL %s: %v\n", name, cause)
			return
		}
		fmt.Printf("ok %s\n", name)
		ok = true
	}()
	what()
	return true
}

func main() {
	all := true
	for _, one := range []struct {
		name string
		what func()
	}{
		{"models", models}, {"answers, whole and streamed", answers}, {"tools in a loop", tools}, {"responses", ofResponses},
		{"continuations", continuations}, {"errors", failures},
	} {
		all = run(one.name, one.what) && all
	}
	fmt.Println("done")
	if !all {
		os.Exit(1)
	}
}
