package anthropic_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

// with returns a good body with some of its fields replaced; an empty value removes the field.
func with(fields ...string) string {
	all := map[string]string{"model": `"memory"`, "max_tokens": "10", "messages": `[{"role":"user","content":"hi"}]`}
	for i := 0; i < len(fields); i += 2 {
		if all[fields[i]] = fields[i+1]; fields[i+1] == "" {
			delete(all, fields[i])
		}
	}
	var parts []string
	for name, value := range all {
		parts = append(parts, `"`+name+`":`+value)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// content returns a good body whose only message has the given blocks.
func content(role, blocks string) string {
	first := `{"role":"user","content":"hi"},`
	if role == "user" {
		first = ""
	}
	return with("messages", `[`+first+`{"role":"`+role+`","content":`+blocks+`}]`)
}

func tools(tool string) string { return with("tools", "["+tool+"]") }

type malformed struct {
	name    string
	body    string
	status  int    // 0 means 400
	kind    string // "" means invalid_request_error
	mention string
	headers []string
}

// malformedEnvelopes are wrong as a whole: bytes, headers, model and length.
func malformedEnvelopes() []malformed {
	return []malformed{
		{name: "no body", body: "", mention: "JSON"},
		{name: "no JSON", body: "hello", mention: "JSON"},
		{name: "JSON cut short", body: `{"model":"memory"`, mention: "JSON"},
		{name: "an array", body: `[]`, mention: "object"},
		{name: "a string", body: `"hi"`, mention: "object"},
		{name: "null", body: `null`, mention: "object"},
		{name: "two objects", body: with() + with(), mention: "after"},
		{name: "a comment", body: with() + "// hi", mention: "after"},
		{name: "a body too long", body: with("system", `"`+strings.Repeat("x", 300_000)+`"`), status: 413, kind: "request_too_large"},
		{name: "a form", body: "a=b", status: 415, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, mention: "content-type"},
		{name: "plain text", body: with(), status: 415, headers: []string{"Content-Type", "text/plain"}, mention: "content-type"},
		{name: "no content type", body: with(), status: 415, headers: []string{"Content-Type", ""}, mention: "content-type"},
		{name: "an unknown version", body: with(), headers: []string{"Anthropic-Version", "2020-01-01"}, mention: "anthropic-version"},
		{name: "a wrong key", body: with(), status: 401, kind: "authentication_error", headers: []string{"X-Api-Key", "wrong"}},
		{name: "no key", body: with(), status: 401, kind: "authentication_error", headers: []string{"X-Api-Key", ""}},
		{name: "a wrong bearer", body: with(), status: 401, kind: "authentication_error", headers: []string{"X-Api-Key", "", "Authorization", "Bearer wrong"}},
		{name: "basic authentication", body: with(), status: 401, kind: "authentication_error", headers: []string{"X-Api-Key", "", "Authorization", "Basic " + key}},
		{name: "a long agent id", body: with(), headers: []string{"X-Agent-Id", strings.Repeat("x", 257)}, mention: "256"},
		{name: "bytes that are not UTF-8", body: content("user", "\"a\xffb\""), mention: "messages.0.content: has bytes that are not UTF-8"},
		{name: "half of a surrogate pair", body: content("user", `[{"type":"text","text":"a\ud800"}]`), mention: "messages.0.content.0.text: has one half"},
		{name: "half of a surrogate pair in the system prompt", body: with("system", `"\udc00\ud800"`), mention: "system: has one half"},
		{name: "half of a surrogate pair as a user id", body: with("metadata", `{"user_id":"x\ud800"}`), mention: "metadata.user_id: has one half"},
		{name: "half of a surrogate pair in a tool", body: tools(`{"name":"f","input_schema":{"type":"object","title":"\ud800"}}`), mention: "tools.0.input_schema.title"},
		{name: "half of a surrogate pair as a stop", body: with("stop_sequences", `["\udfff"]`), mention: "stop_sequences.0"},
		{name: "half of a surrogate pair in a call", body: content("assistant", `[{"type":"tool_use","id":"a","name":"f","input":{"x":["\ud800"]}}]`), mention: "messages.1.content.0.input.x.0"},
		{name: "a key given twice", body: strings.Replace(with(), "{", `{"max_tokens":5,`, 1), mention: "max_tokens: the key is there twice"},
		{name: "a role given twice", body: with("messages", `[{"role":"user","role":"assistant","content":"hi"}]`), mention: "messages.0.role: the key is there twice"},
		{name: "a key in other letters", body: with("max_tokens", "", "Max_Tokens", "10"), mention: "max_tokens: field required"},
		{name: "a key in odd letters", body: with("messages", "", "meſſages", `[{"role":"user","content":"hi"}]`), mention: "messages: at least one"},
		{name: "a body in another coding", body: with(), status: 415, headers: []string{"Content-Encoding", "gzip"}, mention: "content-encoding"},
		{name: "a body in two codings", body: with(), status: 415, headers: []string{"Content-Encoding", "identity, br"}, mention: "content-encoding"},
		{name: "an id that no path can have", body: with(), headers: []string{"X-Agent-Id", ".."}, mention: "path"},
		{name: "a user id that no path can have", body: with("metadata", `{"user_id":"."}`), mention: "path"},
		{name: "a long number", body: with("top_k", strings.Repeat("9", 15_000)), mention: "top_k: is not valid here; expected a whole number"},
		{name: "a long model", body: with("model", `"`+strings.Repeat("m", 15_000)+`"`), status: 404, kind: "not_found_error", mention: "mmm…"},
		{name: "a long version", body: with(), headers: []string{"Anthropic-Version", strings.Repeat("9", 9_000)}, mention: "…"},
		{name: "no model", body: with("model", ""), mention: "model"},
		{name: "an empty model", body: with("model", `""`), mention: "model"},
		{name: "a number as model", body: with("model", `5`), mention: "model"},
		{name: "another model", body: with("model", `"gpt-5"`), status: 404, kind: "not_found_error", mention: "gpt-5"},
		{name: "no max_tokens", body: with("max_tokens", ""), mention: "max_tokens"},
		{name: "max_tokens null", body: with("max_tokens", "null"), mention: "max_tokens"},
		{name: "max_tokens negative", body: with("max_tokens", "-1"), mention: "max_tokens"},
		{name: "max_tokens as string", body: with("max_tokens", `"10"`), mention: "max_tokens"},
		{name: "max_tokens a fraction", body: with("max_tokens", "1.5"), mention: "max_tokens"},
		{name: "max_tokens without end", body: with("max_tokens", "1e99"), mention: "max_tokens"},
		{name: "a prompt over the context", body: content("user", `"`+strings.Repeat("x", 1000)+`"`), mention: "prompt is too long: 1006 tokens > 1000 maximum"},
	}
}

// malformedMessages have messages that can't be.
func malformedMessages() []malformed {
	return []malformed{
		{name: "too many messages", body: with("messages", `[0`+strings.Repeat(`,0`, 100_000)+`]`), mention: "at most 100000"},
		{name: "too many blocks", body: with("messages", `[{"role":"user","content":[0`+strings.Repeat(`,0`, 100_000)+`]}]`), mention: "the most is 100000"},
		{name: "no messages", body: with("messages", ""), mention: "messages"},
		{name: "messages null", body: with("messages", "null"), mention: "messages"},
		{name: "messages empty", body: with("messages", "[]"), mention: "messages"},
		{name: "messages a string", body: with("messages", `"hi"`), mention: "messages"},
		{name: "a message that is a string", body: with("messages", `["hi"]`), mention: "messages.0"},
		{name: "a message that is null", body: with("messages", `[null]`), mention: "messages.0"},
		{name: "no role", body: with("messages", `[{"content":"hi"}]`), mention: "messages.0.role"},
		{name: "an unknown role", body: with("messages", `[{"role":"robot","content":"hi"}]`), mention: "messages.0.role"},
		{name: "a role that is a number", body: with("messages", `[{"role":1,"content":"hi"}]`), mention: "messages.0.role"},
		{name: "the assistant first", body: with("messages", `[{"role":"assistant","content":"hi"}]`), mention: "first"},
		{name: "an empty user", body: with("messages", `[{"role":"user","content":[]},{"role":"user","content":"hi"}]`), mention: "messages.0.content"},
		{name: "an empty answer in between", body: with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":[ ]},{"role":"user","content":"hi"}]`), mention: "messages.1.content"},
		{name: "nobody but an empty system", body: with("messages", `[{"role":"system","content":""}]`), mention: "first"},
		{name: "nobody but an empty system, marked", body: with("messages", `[{"role":"system","content":[]}]`, "cache_control", `{"type":"ephemeral"}`), mention: "first"},
		{name: "a system turn without anything", body: with("messages", `[{"role":"user","content":"hi"},{"role":"system"}]`), mention: "messages.1.content"},
		{name: "an answer begun with a space behind", body: content("assistant", `"Well "`), mention: "final assistant content cannot end with trailing whitespace"},
		{name: "an answer begun with a line end behind", body: content("assistant", `[{"type":"text","text":"Well,"},{"type":"text","text":"I\n"}]`), mention: "trailing whitespace"},
		{name: "an answer begun with a wide space behind", body: content("assistant", `"Well\u3000"`), mention: "trailing whitespace"},
		{name: "an answer begun with a call", body: content("assistant", `[{"type":"text","text":"Well"},{"type":"tool_use","id":"a","name":"f","input":{}}]`), mention: "tool_result must follow"},
		{name: "a call last", body: content("assistant", `[{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"text","text":"Well"}]`), mention: "tool_result must follow"},
		{name: "the system only", body: with("messages", `[{"role":"system","content":"hi"}]`), mention: "first"},
		{name: "no content", body: with("messages", `[{"role":"user"}]`), mention: "messages.0.content"},
		{name: "content null", body: content("user", "null"), mention: "messages.0.content"},
		{name: "content empty", body: content("user", `""`), mention: "messages.0.content"},
		{name: "no blocks", body: content("user", `[]`), mention: "messages.0.content"},
		{name: "content a number", body: content("user", `5`), mention: "messages.0.content"},
		{name: "content an object", body: content("user", `{"type":"text","text":"hi"}`), mention: "messages.0.content"},
		{name: "a block that is a string", body: content("user", `["hi"]`), mention: "messages.0.content.0"},
		{name: "a block without type", body: content("user", `[{"text":"hi"}]`), mention: "messages.0.content.0.type"},
		{name: "a block of unknown type", body: content("user", `[{"type":"smell"}]`), mention: "messages.0.content.0.type"},
		{name: "a text block without text", body: content("user", `[{"type":"text"}]`), mention: "messages.0.content.0.text"},
		{name: "a text block without words", body: content("user", `[{"type":"text","text":""}]`), mention: "messages.0.content.0.text"},
		{name: "a text block with a number", body: content("user", `[{"type":"text","text":5}]`), mention: "messages.0.content.0.text"},
		{name: "an image", body: content("user", `[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aa"}}]`), mention: "vision"},
		{name: "a document", body: content("user", `[{"type":"document","source":{"type":"text","data":"aa"}}]`), mention: "documents"},
		{name: "an image in a tool result", body: with("messages", `[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image"}]}]}]`), mention: "vision"},
		{name: "thinking by the user", body: content("user", `[{"type":"thinking","thinking":"hm"}]`), mention: "assistant"},
		{name: "thinking without thoughts", body: content("assistant", `[{"type":"thinking"}]`), mention: "thinking"},
		{name: "redacted thinking without data", body: content("assistant", `[{"type":"redacted_thinking"}]`), mention: "data"},
		{name: "a tool use by the user", body: content("user", `[{"type":"tool_use","id":"a","name":"f","input":{}}]`), mention: "assistant"},
		{name: "a tool use without id", body: content("assistant", `[{"type":"tool_use","name":"f","input":{}}]`), mention: "messages.1.content.0.id"},
		{name: "a tool use without name", body: content("assistant", `[{"type":"tool_use","id":"a","input":{}}]`), mention: "messages.1.content.0.name"},
		{name: "a tool use without input", body: content("assistant", `[{"type":"tool_use","id":"a","name":"f"}]`), mention: "messages.1.content.0.input"},
		{name: "two tool uses of one id", body: content("assistant", `[{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"a","name":"f","input":{}}]`), mention: "same id"},
		{name: "a tool result by the assistant", body: content("assistant", `[{"type":"tool_result","tool_use_id":"a"}]`), mention: "user"},
		{name: "a tool result without id", body: content("user", `[{"type":"tool_result"}]`), mention: "tool_use_id"},
		{name: "a tool result without its use", body: content("user", `[{"type":"tool_result","tool_use_id":"a","content":"x"}]`), mention: "tool_use_id"},
	}
}

// malformedSettings have settings, tools or marks that can't be.
func malformedSettings() []malformed {
	marked := `{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},`
	return []malformed{
		{name: "a system prompt that is a number", body: with("system", "5"), mention: "system"},
		{name: "a system prompt with an image", body: with("system", `[{"type":"image"}]`), mention: "system.0"},
		{name: "a form of the answer", body: with("output_config", `{"effort":"low","format":{"type":"json_schema","schema":{}}}`), mention: "output_config.format"},
		{name: "a form of the answer in its first place", body: with("output_format", `{"type":"json_schema","schema":{}}`), mention: "output_format"},
		{name: "a form of the answer in a system turn", body: with("messages", `[{"role":"user","content":"hi"},{"role":"system","content":[],"output_config":{"format":{}}}]`), mention: "messages.1.output_config.format"},
		{name: "temperature over 1", body: with("temperature", "1.1"), mention: "temperature"},
		{name: "temperature below 0", body: with("temperature", "-0.1"), mention: "temperature"},
		{name: "temperature a string", body: with("temperature", `"hot"`), mention: "temperature"},
		{name: "top_p over 1", body: with("top_p", "2"), mention: "top_p"},
		{name: "top_p below 0", body: with("top_p", "-1"), mention: "top_p"},
		{name: "top_k negative", body: with("top_k", "-1"), mention: "top_k"},
		{name: "top_k a fraction", body: with("top_k", "0.5"), mention: "top_k"},
		{name: "min_p over 1", body: with("min_p", "3"), mention: "min_p"},
		{name: "seed a string", body: with("seed", `"x"`), mention: "seed"},
		{name: "stream a string", body: with("stream", `"yes"`), mention: "stream"},
		{name: "stop_sequences a string", body: with("stop_sequences", `"x"`), mention: "stop_sequences"},
		{name: "an empty stop sequence", body: with("stop_sequences", `["a",""]`), mention: "stop_sequences.1"},
		{name: "a blank stop sequence", body: with("stop_sequences", `["\n"]`), mention: "stop_sequences.0"},
		{name: "a number as stop sequence", body: with("stop_sequences", `[1]`), mention: "stop_sequences"},
		{name: "too many stop sequences", body: with("stop_sequences", `["a"`+strings.Repeat(`,"a"`, 64)+`]`), mention: "stop_sequences"},
		{name: "metadata a string", body: with("metadata", `"me"`), mention: "metadata"},
		{name: "a user id that is a number", body: with("metadata", `{"user_id":5}`), mention: "user_id"},
		{name: "an agent id that is not UTF-8", body: with(), headers: []string{"X-Agent-Id", "a\xff"}, mention: "UTF-8"},
		{name: "a user id with a control character", body: with("metadata", `{"user_id":"a\nb"}`), mention: "control"},
		{name: "a long user id", body: with("metadata", `{"user_id":"`+strings.Repeat("x", 257)+`"}`), mention: "user_id"},
		{name: "tools an object", body: with("tools", `{}`), mention: "tools"},
		{name: "a tool without name", body: tools(`{"input_schema":{"type":"object"}}`), mention: "tools.0.name"},
		{name: "a tool with a bad name", body: tools(`{"name":"a b","input_schema":{"type":"object"}}`), mention: "tools.0.name"},
		{name: "a tool without schema", body: tools(`{"name":"f"}`), mention: "tools.0.input_schema"},
		{name: "a tool whose schema is a string", body: tools(`{"name":"f","input_schema":"x"}`), mention: "tools.0.input_schema"},
		{name: "a tool whose schema is no object's", body: tools(`{"name":"f","input_schema":{"type":"string"}}`), mention: "tools.0.input_schema.type"},
		{name: "a tool of the server", body: tools(`{"type":"web_search_20250305","name":"web_search"}`), mention: "tools.0.type"},
		{name: "two tools of one name", body: tools(`{"name":"f","input_schema":{"type":"object"}},{"name":"f","input_schema":{"type":"object"}}`), mention: "tools.1.name"},
		{name: "a forced tool", body: with("tool_choice", `{"type":"tool","name":"f"}`), mention: "tool_choice"},
		{name: "any tool", body: with("tool_choice", `{"type":"any"}`), mention: "tool_choice"},
		{name: "an unknown tool choice", body: with("tool_choice", `{"type":"most"}`), mention: "tool_choice"},
		{name: "an unknown cache mark", body: content("user", `[{"type":"text","text":"a","cache_control":{"type":"forever"}}]`), mention: "cache_control.type"},
		{name: "an unknown time to live", body: content("user", `[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"2d"}}]`), mention: "cache_control.ttl"},
		{name: "five cache marks", body: content("user", "["+strings.TrimSuffix(strings.Repeat(marked, 5), ",")+"]"), mention: "breakpoints"},
		{name: "what the template refuses", body: content("user", `"unspeakable"`), mention: "the template refuses it"},
	}
}

func TestMalformedRequestsGetTheRightError(t *testing.T) {
	server := serve(t, setup{Model: enginetest.Config{Context: 1000}, MaxBody: 300_000})
	table := slices.Concat(malformedEnvelopes(), malformedMessages(), malformedSettings())
	if len(table) < 60 {
		t.Fatalf("the table has only %d requests", len(table))
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			if c.status == 0 {
				c.status = http.StatusBadRequest
			}
			if c.kind == "" {
				c.kind = "invalid_request_error"
			}
			answer := post(t, server, "/v1/messages", c.body, append(c.headers, "X-Request-Id", "mine-1")...)
			checkError(t, answer, c.status, c.kind, c.mention)
		})
	}
}

// checkError checks an answer against Anthropic's form of errors.
func checkError(t *testing.T, answer *http.Response, status int, kind, mention string) {
	t.Helper()
	raw := text(t, answer)
	var body struct {
		Type  string
		Error struct{ Type, Message string }
		ID    string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(raw), &body); err != nil {
		t.Fatalf("status %d, body %q: %v", answer.StatusCode, raw, err)
	}
	if answer.StatusCode != status || body.Type != "error" || body.Error.Type != kind || !strings.Contains(body.Error.Message, mention) {
		t.Errorf("status %d, body %s; want %d, %s, mentioning %q", answer.StatusCode, raw, status, kind, mention)
	}
	if len(raw) > 2000 {
		t.Errorf("an answer of %d bytes", len(raw))
	}
	for _, name := range []string{"X-Request-Id", "Request-Id"} {
		if got := answer.Header.Get(name); got != "mine-1" || body.ID != got {
			t.Errorf("%s is %q, request_id %q", name, got, body.ID)
		}
	}
}

func TestOtherMethodsAndPathsGetAnthropicErrors(t *testing.T) {
	server := serve(t, setup{})
	send := func(method, path string) *http.Response {
		req := httptest.NewRequest(method, server.URL+path, nil)
		req.RequestURI = ""
		req.Header.Set("X-Api-Key", key)
		req.Header.Set("X-Request-Id", "mine-1")
		return do(t, server, req)
	}
	got := send(http.MethodGet, "/v1/messages")
	checkError(t, got, http.StatusMethodNotAllowed, "invalid_request_error", "POST")
	if got.Header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", got.Header.Get("Allow"))
	}
	checkError(t, send(http.MethodDelete, "/v1/messages/count_tokens"), http.StatusMethodNotAllowed, "invalid_request_error", "POST")
	checkError(t, send(http.MethodPost, "/v1/messages/batches"), http.StatusNotFound, "not_found_error", "")
}
