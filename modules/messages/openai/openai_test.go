package openai_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
	"github.com/agent-memory/agent-memory/modules/messages/openai"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const chatPath = "/v1/chat/completions"

// serve runs the surface on the real HTTP stack.
func serve(t *testing.T, s messagestest.Setup) *messagestest.Server {
	t.Helper()
	s.Surfaces, s.Aliases = openai.Surfaces(), []string{"claude-*", "house-model"}
	s.Register = func(p messagestest.Parts) {
		openai.Register(openai.Config{Router: p.Router, Service: p.Service, Log: p.Log})
	}
	return messagestest.Serve(t, s)
}

// with is a good body in which some fields are changed, or left out where they are empty.
func with(fields ...string) string {
	all := map[string]string{"model": `"memory"`, "messages": `[{"role":"user","content":"hi"}]`}
	for i := 0; i < len(fields); i += 2 {
		if all[fields[i]] = fields[i+1]; fields[i+1] == "" {
			delete(all, fields[i])
		}
	}
	raw := map[string]json.RawMessage{}
	for name, value := range all {
		raw[name] = json.RawMessage(value)
	}
	body, err := json.Marshal(raw)
	if err != nil {
		return fmt.Sprint(all) // it is meant not to be JSON
	}
	return string(body)
}

type call struct {
	Index    int
	ID, Type string
	Function struct{ Name, Arguments string }
}

type completion struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Index   int
		Message struct {
			Role      string
			Content   *string
			ToolCalls []call `json:"tool_calls"`
		}
		Delta struct {
			Role      string
			Content   *string
			ToolCalls []call `json:"tool_calls"`
		}
		FinishReason *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
		Details    struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
	Error *struct {
		Message, Type string
		Param, Code   *string
	}
}

func parse(t *testing.T, answer *http.Response, status int) (c completion) {
	t.Helper()
	raw := messagestest.Text(t, answer)
	if err := json.Unmarshal([]byte(raw), &c); err != nil || answer.StatusCode != status {
		t.Fatalf("status %d, want %d: %s, %v", answer.StatusCode, status, raw, err)
	}
	return c
}

// streamed are the pieces of a stream, which must end as it should.
func streamed(t *testing.T, answer *http.Response) (pieces []completion, raw []string) {
	t.Helper()
	text := messagestest.Text(t, answer)
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Fatalf("%s: %s", kind, text)
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(text, "data: [DONE]\n\n"), "\n\n") {
		data, isData := strings.CutPrefix(event, "data: ")
		if !isData {
			continue
		}
		var c completion
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		pieces, raw = append(pieces, c), append(raw, data)
	}
	return pieces, raw
}

func TestAConversationIsAnswered(t *testing.T) {
	server := serve(t, messagestest.Setup{Engine: messagestest.WithMemory})
	for range 2 {
		got := parse(t, server.Post(t, chatPath, with("temperature", "0", "max_completion_tokens", "100")), http.StatusOK)
		choice := got.Choices[0]
		if got.Object != "chat.completion" || got.Model != "memory" || !strings.HasPrefix(got.ID, "chatcmpl-") || got.Created == 0 ||
			len(got.Choices) != 1 || choice.Message.Role != "assistant" || *choice.Message.Content != "Hello, world!" || *choice.FinishReason != "stop" {
			t.Errorf("%+v", got)
		}
		if u := got.Usage; u.Prompt != len("user:hi")+1 || u.Completion != 14 || u.Total != u.Prompt+u.Completion {
			t.Errorf("%+v", u)
		}
	}
	long := with("messages", `[{"role":"user","content":"`+strings.Repeat("read me ", 100)+`"}]`)
	parse(t, server.Post(t, chatPath, long), http.StatusOK)
	if got := parse(t, server.Post(t, chatPath, long), http.StatusOK); got.Usage.Details.Cached < got.Usage.Prompt-2 {
		t.Errorf("%d of %d tokens were read", got.Usage.Details.Cached, got.Usage.Prompt)
	}
}

func TestAStreamSaysTheSame(t *testing.T) {
	server := serve(t, messagestest.Setup{})
	for _, wantsUsage := range []string{"true", "false"} {
		pieces, _ := streamed(t, server.Post(t, chatPath, with("stream", "true", "stream_options", `{"include_usage":`+wantsUsage+`}`)))
		text, reasons, usages := "", "", 0
		for i, piece := range pieces {
			if piece.Usage != nil {
				usages++
				if len(piece.Choices) != 0 || i != len(pieces)-1 || piece.Usage.Completion != 14 {
					t.Errorf("usage in %+v", piece)
				}
				continue
			}
			choice := piece.Choices[0]
			if (i == 0) != (choice.Delta.Role == "assistant") || piece.ID != pieces[0].ID || piece.Object != "chat.completion.chunk" {
				t.Errorf("piece %d: %+v", i, piece)
			}
			if choice.Delta.Content != nil {
				text += *choice.Delta.Content
			}
			if choice.FinishReason != nil {
				reasons += *choice.FinishReason
			}
		}
		if text != "Hello, world!" || reasons != "stop" || (usages == 1) != (wantsUsage == "true") {
			t.Errorf("%q, %q, %d usages", text, reasons, usages)
		}
	}
}

func TestAnswersEndForTheReasonsThatClientsKnow(t *testing.T) {
	server := serve(t, messagestest.Setup{})
	for _, c := range []struct{ field, value, text, reason string }{
		{"max_tokens", "5", "Hello", "length"},
		{"max_completion_tokens", "5", "Hello", "length"},
		{"stop", `", "`, "Hello", "stop"},
		{"stop", `["world","lo"]`, "Hel", "stop"},
	} {
		got := parse(t, server.Post(t, chatPath, with(c.field, c.value)), http.StatusOK).Choices[0]
		if *got.Message.Content != c.text || *got.FinishReason != c.reason {
			t.Errorf("%s %s: %q, %s", c.field, c.value, *got.Message.Content, *got.FinishReason)
		}
	}
}

// What can't be is refused with 400 in OpenAI's form, which names the place.
func TestWhatCannotBeIsRefusedByName(t *testing.T) {
	server := serve(t, messagestest.Setup{})
	turn := func(message string) string { return with("messages", `[{"role":"user","content":"hi"},`+message+`]`) }
	for body, param := range map[string]string{
		with("model", ""):                      "model",
		with("messages", ""):                   "messages",
		with("messages", "[]"):                 "messages",
		with("messages", `[{"role":"user"}]`):  "messages.0.content",
		with("messages", `[{"role":"robot"}]`): "messages.0.role",
		turn(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}`):                                        "messages.1.content.0",
		turn(`{"role":"user","content":[{"type":"text"}]}`):                                                                     "messages.1.content.0.text",
		turn(`{"role":"user","content":7}`):                                                                                     "messages.1.content",
		turn(`{"role":"tool","content":"x"}`):                                                                                   "messages.1.tool_call_id",
		turn(`{"role":"tool","tool_call_id":"none","content":"x"}`):                                                             "messages.1.tool_call_id",
		turn(`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"not JSON"}}]}`): "messages.1.tool_calls.0.function.arguments",
		turn(`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"[]"}}]}`):       "messages.1.tool_calls.0.function.arguments",
		turn(`{"role":"assistant","tool_calls":[{"id":"a","type":"other","function":{"name":"f"}}]}`):                           "messages.1.tool_calls.0.type",
		with("n", "17"):                                              "n",
		with("top_logprobs", "2"):                                    "top_logprobs",
		with("logit_bias", `{"50256":-101}`):                         "logit_bias",
		with("logit_bias", `{"the":1}`):                              "logit_bias",
		with("logit_bias", `[1]`):                                    "logit_bias",
		with("presence_penalty", "2.1"):                              "presence_penalty",
		with("frequency_penalty", "-3"):                              "frequency_penalty",
		with("response_format", `{"type":"json_object"}`):            "response_format",
		with("functions", `[{"name":"f"}]`):                          "functions",
		with("modalities", `["text","audio"]`):                       "modalities",
		with("temperature", "2.1"):                                   "temperature",
		with("top_p", "1.1"):                                         "top_p",
		with("max_tokens", "0"):                                      "max_tokens",
		with("stop", `[""]`):                                         "stop",
		with("stop", `7`):                                            "stop",
		with("tool_choice", `"required"`, "tools", someTools):        "tool_choice",
		with("tool_choice", `{"type":"function"}`):                   "tool_choice",
		with("tools", `[{"type":"function","function":{}}]`):         "tools.0.function.name",
		with("tools", `[{"type":"web_search"}]`):                     "tools.0.type",
		with("user", `"`+strings.Repeat("x", 300)+`"`):               "user",
		with("messages", `[{"role":"user","content":"`+"\xff"+`"}]`): "",
	} {
		got := parse(t, server.Post(t, chatPath, body), http.StatusBadRequest)
		if e := got.Error; e == nil || e.Type != "invalid_request_error" || e.Message == "" || param != "" && (e.Param == nil || *e.Param != param) {
			t.Errorf("%.200s: %+v, want %s", body, e, param)
		}
	}
	for _, harmless := range []string{
		with("n", "1", "logprobs", "false", "logit_bias", "{}", "presence_penalty", "0.5", "frequency_penalty", "-2", "response_format", `{"type":"text"}`, "store", "true",
			"service_tier", `"auto"`, "reasoning_effort", `"low"`, "metadata", `{"a":"b"}`, "modalities", `["text"]`, "tool_choice", `"none"`),
		with("messages", `[{"role":"developer","content":"Be brief."},{"role":"user","name":"me","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"why?"}]`),
	} {
		parse(t, server.Post(t, chatPath, harmless), http.StatusOK)
	}
}

// Failures carry the codes that clients act on.
func TestFailuresCarryTheirCodes(t *testing.T) {
	server := serve(t, messagestest.Setup{Model: enginetest.Config{Context: 300}, MaxBody: 50_000, Limits: ratelimit.Config{Global: 4}})
	for _, c := range []struct {
		body    string
		status  int
		code    string
		message string
	}{
		{with("messages", `[{"role":"user","content":"`+strings.Repeat("long ", 100)+`"}]`), http.StatusBadRequest, "context_length_exceeded", "maximum context length"},
		{with("model", `"gpt-4o"`), http.StatusNotFound, "model_not_found", "gpt-4o"},
		{strings.Repeat("x", 60_000), http.StatusRequestEntityTooLarge, "", "60000 bytes"},
	} {
		got := parse(t, server.Post(t, chatPath, c.body), c.status)
		if code := got.Error.Code; c.code != "" && (code == nil || *code != c.code) || !strings.Contains(got.Error.Message, c.message) {
			t.Errorf("%+v, want %s", got.Error, c.code)
		}
	}
	server.Post(t, chatPath, with())
	limited := server.Post(t, chatPath, with())
	if got := parse(t, limited, http.StatusTooManyRequests); *got.Error.Code != "rate_limit_exceeded" {
		t.Errorf("%+v", got.Error)
	}
	if limited.Header.Get("Retry-After") == "" || limited.Header.Get("X-Ratelimit-Limit-Requests") != "4" {
		t.Errorf("%v", limited.Header)
	}
}

// Models are listed in the fields of both APIs, and one is found by each id that is listed.
func TestModelsAreListedForClientsOfBothAPIs(t *testing.T) {
	server := serve(t, messagestest.Setup{})
	get := func(path string, into any) int {
		req, err := http.NewRequest(http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", messagestest.Key)
		answer := server.Do(t, req)
		if err := json.Unmarshal([]byte(messagestest.Text(t, answer)), into); err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}
	var list struct {
		Data []struct {
			ID, Object, Type string
			DisplayName      string `json:"display_name"`
			Context          int    `json:"context_length"`
		}
		HasMore bool   `json:"has_more"`
		FirstID string `json:"first_id"`
		LastID  string `json:"last_id"`
	}
	if status := get("/v1/models?limit=1000", &list); status != http.StatusOK || len(list.Data) != 3 || list.HasMore {
		t.Fatalf("%d %+v", status, list)
	}
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
		if m.Object != "model" || m.Type != "model" || m.DisplayName != "memory" || m.Context == 0 {
			t.Errorf("%+v", m)
		}
		var one struct{ ID string }
		if status := get("/v1/models/"+m.ID, &one); status != http.StatusOK || one.ID != m.ID {
			t.Errorf("%s: %d %+v", m.ID, status, one)
		}
		parse(t, server.Post(t, chatPath, with("model", `"`+m.ID+`"`)), http.StatusOK)
	}
	if strings.Join(ids, " ") != "memory claude-memory house-model" || list.FirstID != "memory" || list.LastID != "house-model" {
		t.Errorf("%+v", list)
	}
	var failure completion
	if status := get("/v1/models/mlx-community/other", &failure); status != http.StatusNotFound || *failure.Error.Code != "model_not_found" {
		t.Errorf("%d %+v", status, failure.Error)
	}
}

// What a bias excludes is not written, and the rest of the answer is what the model makes of that.
func TestABiasChangesTheAnswer(t *testing.T) {
	server := serve(t, messagestest.Setup{})
	for bias, begins := range map[string]bool{`{}`: true, `{"1":100,"72":-100}`: false, `{"999999":5}`: true} {
		got := parse(t, server.Post(t, chatPath, with("temperature", "0", "logit_bias", bias, "max_tokens", "4")), http.StatusOK)
		if text := *got.Choices[0].Message.Content; strings.HasPrefix(text, "H") != begins {
			t.Errorf("%s: %q", bias, text)
		}
	}
}
