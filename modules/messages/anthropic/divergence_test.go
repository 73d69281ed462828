package anthropic_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages"
)

// A conversation with everything that clients let change from turn to turn.
const (
	volatileTools = `[{"name":"read","description":"Reads R0.","input_schema":{"type":"object","properties":{"path":{"type":"string","description":"P0"}}}},` +
		`{"name":"clock","description":"Tells T0.","input_schema":{"type":"object"}},` +
		`{"name":"last","description":"Ends L0.","input_schema":{"type":"object"}}]`
	volatileSystem = `[{"type":"text","text":"You are S0. "},{"type":"text","text":"Today is D0."}]`
	volatileTurns  = `{"role":"user","content":"Question Q0"},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"Hm H0","signature":""},{"type":"text","text":"Looking A0"},{"type":"tool_use","id":"toolu_1","name":"read","input":{"path":"F0"}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"Result X0"},{"type":"text","text":"Remark M0"}]},` +
		`{"role":"assistant","content":"Answer B0"},{"role":"user","content":"More C0"}`
	volatileNext = `,{"role":"assistant","content":"Fine."},{"role":"user","content":"Go on E0"}`
)

func volatileBody(turns string) string {
	return `{"model":"claude-x","max_tokens":20,"system":` + volatileSystem + `,"tools":` + volatileTools + `,"messages":[` + turns + `]}`
}

// divergences are changes of the next request of a conversation, by what the answer's header says of each.
func divergences() [][3]string {
	reading, clock := volatileTools[1:strings.Index(volatileTools, `,{"name":"clock"`)], volatileTools[strings.Index(volatileTools, `{"name":"clock"`):strings.Index(volatileTools, `,{"name":"last"`)]
	return [][3]string{
		{"You are S0", "You are S1", "system[0].text; changed"},
		{"Today is D0", "Today is D1", "system[1].text; changed"},
		{`[{"type":"text","text":"You are`, `[{"type":"text","text":"Version 2. "},{"type":"text","text":"You are`, "system[0].text; added"},
		{`{"type":"text","text":"You are S0. "},`, "", "system[0].text; removed"},
		{"Reads R0", "Reads R1", "tools[0].description; changed"},
		{`"P0"`, `"P1"`, "tools[0].input_schema; changed"},
		{`"name":"clock"`, `"name":"watch"`, "tools[1].name; changed"},
		{"Tells T0", "Tells T1", "tools[1].description; changed"},
		{`,{"name":"last","description":"Ends L0.","input_schema":{"type":"object"}}`, "", "tools[2]; removed"},
		{reading + "," + clock, clock + "," + reading, "tools[0]; moved"},
		{reading, `{"name":"first","input_schema":{"type":"object"}},` + reading, "tools[0]; added"},
		{"Question Q0", "Question Q1", "messages[0].content; changed"},
		{"Looking A0", "Looking A1", "messages[1].content[1]; changed"},
		{`"F0"`, `"F1"`, "messages[1].content[2]; changed"},
		{"Result X0", "Result X1", "messages[2].content[0]; changed"},
		{`"content":"Result X0"`, `"content":"Result X0","is_error":true`, "messages[2].content[0]; changed"},
		{"Remark M0", "Remark M1", "messages[2].content[1]; changed"},
		{`{"type":"text","text":"Remark M0"}`, `{"type":"text","text":"A reminder"},{"type":"text","text":"Remark M0"}`, "messages[2].content[1]; added"},
		{"Answer B0", "Answer B1", "messages[3].content; changed"},
		{"More C0", "More C1", "messages[4].content; changed"},
		{"Fine.", "Good.", "messages[5].content; changed"},
		{`{"role":"assistant","content":"Answer B0"},{"role":"user","content":"More C0"},`, "", "messages[3].content; removed"},

		// What the model does not see is no divergence.
		{"Go on E0", "Go on E1", ""},
		{"toolu_1", "toolu_9", ""},
		{"Hm H0", "Hm H1", ""},
		{`{"type":"thinking","thinking":"Hm H0","signature":""},`, "", ""},
		{`"input_schema":{"type":"object"}`, `"input_schema": { "type" : "object" }`, ""},
		{`"content":"Question Q0"`, `"content":[{"type":"text","text":"Question Q0","cache_control":{"type":"ephemeral"}}]`, ""},
	}
}

func TestTheFirstPartThatChangedIsNamed(t *testing.T) {
	server := saying(t, hermesTemplate, "one", "two", "Fine.", "Done.", "Done.", "Done.")
	for i, change := range divergences() {
		agent := fmt.Sprint("agent-", i)
		first := post(t, server, "/v1/messages", volatileBody(volatileTurns), "X-Agent-Id", agent)
		if first.StatusCode != http.StatusOK || first.Header.Get(messages.DivergenceHeader) != "" || !strings.Contains(text(t, first), "Fine.") {
			t.Fatalf("%d %q", first.StatusCode, first.Header)
		}
		whole := volatileBody(volatileTurns + volatileNext)
		next := strings.ReplaceAll(whole, change[0], change[1])
		if next == whole {
			t.Fatalf("%q is not in the request", change[0])
		}
		answer := post(t, server, "/v1/messages", next, "X-Agent-Id", agent)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%q: %d %s", change[1], answer.StatusCode, text(t, answer))
		}
		if told := answer.Header.Get(messages.DivergenceHeader); told != change[2] {
			t.Errorf("%q to %q: %q, want %q", change[0], change[1], told, change[2])
		}
	}
}

// A template that writes the ids of calls shows that they changed.
func TestIDsThatTheModelSeesAreNamed(t *testing.T) {
	server := saying(t, mistralTemplate, "one", "Fine.", "Done.", "Done.")
	turns := strings.ReplaceAll(volatileTurns, `,{"type":"text","text":"Remark M0"}`, "")
	post(t, server, "/v1/messages", volatileBody(turns), "X-Agent-Id", "a")
	next := strings.ReplaceAll(volatileBody(turns+volatileNext), "toolu_1", "toolu_9")
	if told := post(t, server, "/v1/messages", next, "X-Agent-Id", "a").Header.Get(messages.DivergenceHeader); told != "messages[1].content[2]; changed" {
		t.Errorf("%q", told)
	}
}

// Conversations that begin anew, other agents and deleted ones are nobody's divergence; a request that names no agent is found
// by how it begins.
func TestADivergenceIsThatOfOneConversation(t *testing.T) {
	server := saying(t, hermesTemplate, "one", "two", "Fine.", "Done.", "Done.", "Done.")
	say := func(body string, headers ...string) string {
		t.Helper()
		answer := post(t, server, "/v1/messages", body, headers...)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", answer.StatusCode, text(t, answer))
		}
		return answer.Header.Get(messages.DivergenceHeader)
	}
	say(volatileBody(volatileTurns), "X-Agent-Id", "a")
	say(volatileBody(volatileTurns))
	changed := strings.ReplaceAll(volatileBody(volatileTurns+volatileNext), "S0", "S1")
	if told := say(changed, "X-Agent-Id", "b"); told != "" {
		t.Errorf("another agent: %q", told)
	}
	if told := say(changed); told != "system[0].text; changed" {
		t.Errorf("no agent: %q", told)
	}
	if told := say(volatileBody(`{"role":"user","content":"Something else"}`), "X-Agent-Id", "a"); told != "" {
		t.Errorf("a new conversation: %q", told)
	}
	if told := say(strings.ReplaceAll(volatileBody(`{"role":"user","content":"Something else"}`), "S0", "S1"), "X-Agent-Id", "a"); told != "system[0].text; changed" {
		t.Errorf("a new conversation with another system prompt: %q", told)
	}
}

func TestExplainNamesThePartThatATokenComesFrom(t *testing.T) {
	server := saying(t, hermesTemplate, "one", "two", "Fine.", "Done.", "Done.", "Done.")
	post(t, server, "/v1/messages", volatileBody(volatileTurns), "X-Agent-Id", "a")
	for _, change := range divergences() {
		if change[2] == "" || strings.HasSuffix(change[2], "removed") || strings.HasSuffix(change[2], "moved") {
			continue
		}
		next := strings.ReplaceAll(volatileBody(volatileTurns+volatileNext), change[0], change[1])
		answer := post(t, server, "/admin/explain", next, "X-Agent-Id", "a", "X-Api-Key", adminKey)
		var told struct {
			Divergence, Difference *struct{ Path, Change, Kind string }
		}
		if err := json.Unmarshal([]byte(text(t, answer)), &told); err != nil || told.Divergence == nil || told.Difference == nil {
			t.Fatalf("%s: %d %+v %v", change[2], answer.StatusCode, told, err)
		}
		path, _, _ := strings.Cut(change[2], ";")
		part := path[:strings.LastIndex(path, "]")+1]
		if !strings.HasPrefix(told.Divergence.Path, part) || told.Difference.Path != path {
			t.Errorf("%s: the token is of %q, the difference %+v", change[2], told.Divergence.Path, *told.Difference)
		}
	}
}
