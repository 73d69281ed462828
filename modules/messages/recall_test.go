package messages

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"pgregory.net/rapid"
)

func callBlock(id, arguments string) Block {
	return Block{Kind: prompt.ToolUse, ID: id, Name: "read", Text: arguments}
}

func turnOf(id, text, input string) []prompt.Turn {
	return []prompt.Turn{{Role: prompt.User}, {Role: prompt.Assistant, Parts: []prompt.Part{
		{Kind: prompt.Text, Text: text}, {Kind: prompt.ToolUse, ID: id, Name: "read", Input: json.RawMessage(input)},
	}}}
}

// What was sampled stands for a turn only if the turn says all of it, for the same tenant.
func TestOnlyTheSameAnswerIsRecalled(t *testing.T) {
	r := newRecall()
	r.keep(&asker{tenant: "t", agent: "a"}, "the text", []Block{{Kind: prompt.Text, Text: "I look."}, callBlock("1", `{"a": 1.0, "b": "x"}`)})
	for _, c := range []struct {
		tenant, id, text, input string
		want                    bool
	}{
		{"t", "1", "I look.", `{"a": 1.0, "b": "x"}`, true},
		{"t", "1", "I look.", `{"b":"x","a":1}`, true},
		{"u", "1", "I look.", `{"a": 1.0, "b": "x"}`, false},
		{"t", "2", "I look.", `{"a": 1.0, "b": "x"}`, false},
		{"t", "1", "I look", `{"a": 1.0, "b": "x"}`, false},
		{"t", "1", "I look.", `{"a": 1.0, "b": "y"}`, false},
		{"t", "1", "I look.", `{"a": 1.0}`, false},
		{"t", "1", "I look.", `{"a": "1", "b": "x"}`, false},
		{"t", "1", "I look.", `{"a": 1.0, "b": "x", "c": null}`, false},
	} {
		turns := turnOf(c.id, c.text, c.input)
		if r.restore(c.tenant, turns); (turns[1].Sampled == "the text") != c.want {
			t.Errorf("%+v: %q", c, turns[1].Sampled)
		}
	}
	cut := []prompt.Turn{{Role: prompt.Assistant, Parts: []prompt.Part{
		{Kind: prompt.Text, Text: "I "}, {Kind: prompt.Text, Text: "look."}, {Kind: prompt.ToolUse, ID: "1", Name: "read", Input: json.RawMessage(`{"a":1,"b":"x"}`)},
	}}}
	if r.restore("t", cut); cut[0].Sampled == "" {
		t.Error("a text that was cut for a breakpoint is another one")
	}
}

// Nobody remembers the answer, as after a restart: a usual text of the digest that the call's id has stands for it.
func TestAUsualAnswerIsRebuiltFromItsCall(t *testing.T) {
	const text = "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"a\": 1, \"b\": \"x\"}}\n</tool_call>"
	id := newCallID(text)
	for _, c := range []struct {
		id, said, input string
		want            string
	}{
		{id, "I look.", `{"a":1,"b":"x"}`, text},
		{id, "I look.", "{\n  \"a\": 1,\n  \"b\": \"\\u0078\"\n}", text},
		{id, "I looked.", `{"a":1,"b":"x"}`, ""},
		{id, "I look.", `{"b":"x","a":1}`, ""},
		{id, "I look.", `{"a":2,"b":"x"}`, ""},
		{"call_1", "I look.", `{"a":1,"b":"x"}`, ""},
		{"", "I look.", `{"a":1,"b":"x"}`, ""},
	} {
		turns := turnOf(c.id, c.said, c.input)
		if newRecall().restore("t", turns); turns[1].Sampled != c.want {
			t.Errorf("%+v: %q", c, turns[1].Sampled)
		}
	}
	behind := turnOf(id, "I look.", `{"a":1,"b":"x"}`)
	behind[1].Parts = append(behind[1].Parts, prompt.Part{Kind: prompt.Text, Text: "Done."})
	if newRecall().restore("t", behind); behind[1].Sampled != "" {
		t.Errorf("with text behind: %q", behind[1].Sampled)
	}
}

// A conversation of many long calls that nobody remembers costs a bounded number of tries.
func TestRebuildingIsBounded(t *testing.T) {
	budget := 1000
	blocks := []Block{callBlock(newCallID("another text"), `{"a":"`+strings.Repeat("x", 300)+`"}`)}
	if rebuilt(blocks, &budget); budget > 0 || budget < -400 {
		t.Errorf("%d bytes are left", budget)
	}
	if rebuilt(blocks, &budget); budget < -800 {
		t.Errorf("it went on to %d", budget)
	}
}

func TestWhatIsRecalledIsBounded(t *testing.T) {
	r := newRecall()
	long := strings.Repeat("x", recallBytes/4)
	for i := range 6 {
		r.keep(&asker{tenant: "t", agent: "a"}, long, []Block{callBlock(fmt.Sprint(i), "{}")})
		if r.find(turnKey{"t", "0"}) == nil {
			t.Fatal("what was just used is forgotten")
		}
	}
	if r.bytes > recallBytes || r.recent.Len() != len(r.turns) || r.find(turnKey{"t", "1"}) != nil || r.find(turnKey{"t", "5"}) == nil {
		t.Errorf("%d bytes of %d answers", r.bytes, len(r.turns))
	}
	r.keep(&asker{tenant: "t", agent: "a"}, strings.Repeat("x", recallBytes+1), []Block{callBlock("big", "{}")})
	if len(r.turns) == 0 || r.find(turnKey{"t", "big"}) != nil {
		t.Error("an answer that is too long drove out the others")
	}
}

func TestADeletedAgentsAnswersAreForgotten(t *testing.T) {
	r := newRecall()
	for _, agent := range []string{"a", "b"} {
		for _, tenant := range []string{"t", "u"} {
			r.keep(&asker{tenant: tenant, agent: agent}, "text", []Block{callBlock(agent, "{}")})
		}
	}
	r.forget("t", "a")
	if r.find(turnKey{"t", "a"}) != nil || r.find(turnKey{"t", "b"}) == nil || r.find(turnKey{"u", "a"}) == nil || r.recent.Len() != 3 {
		t.Error("the wrong answers are forgotten")
	}
	for _, key := range []turnKey{{"t", "b"}, {"u", "a"}, {"u", "b"}} {
		r.forget(key.tenant, key.call)
	}
	if r.bytes != 0 {
		t.Errorf("%d bytes are left", r.bytes)
	}
}

// An agent may be deleted while it is answered.
func TestAnAnswerUnderWayToADeletedAgentIsNotKept(t *testing.T) {
	r := newRecall()
	a, b := r.begin("t", "a"), r.begin("t", "b")
	r.forget("t", "a")
	r.keep(a, "text", []Block{callBlock("a", "{}")})
	r.keep(b, "text", []Block{callBlock("b", "{}")})
	if r.find(turnKey{"t", "a"}) != nil || r.find(turnKey{"t", "b"}) == nil {
		t.Error("the wrong answer is kept")
	}
	r.end(a)
	r.end(b)
	if len(r.running) != 0 {
		t.Errorf("%d answers are under way", len(r.running))
	}
}

func TestNumbersAreTheSameHoweverTheyAreWritten(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1", "1.0", true}, {"1e2", "100", true}, {"-0", "0", true}, {"0.1", "1e-1", true}, {"1", `"1"`, false}, {"1", "true", false},
		{"12345678901234567890", "12345678901234567000", false}, {"1e999999999", "1e999999999", true}, {"1e999999999", "2", false},
		{`{"a":[1,{"b":2}]}`, `{"a":[1.0,{"b":2e0}]}`, true}, {`[1,2]`, `[2,1]`, false}, {`{"a":null}`, `{}`, false}, {"{", "{", false},
		{`"é"`, `"\u00e9"`, true}, {`{"1":1}`, `{"1.0":1}`, false},
	} {
		if sameJSON(c.a, c.b) != c.want || sameJSON(c.b, c.a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}

// A value is the same after a client read it and wrote it anew, and another one is not.
func TestJSONIsTheSameAfterAClientsHands(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		value := drawValue(r, 3)
		text, _ := json.Marshal(value)
		spaced, _ := json.MarshalIndent(value, " ", "\t")
		if !sameJSON(string(text), string(spaced)) {
			r.Fatalf("%s is not %s", text, spaced)
		}
		other, _ := json.Marshal([]any{value})
		if sameJSON(string(text), string(other)) {
			r.Fatalf("%s is %s", text, other)
		}
	})
}

func drawValue(r *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 5).Draw(r, "kind"); {
	case kind == 0 && depth > 0:
		return rapid.MapOfN(rapid.String(), rapid.Just(drawValue(r, depth-1)), 0, 3).Draw(r, "object")
	case kind == 1 && depth > 0:
		return []any{drawValue(r, depth-1), drawValue(r, depth-1)}
	case kind == 2:
		return rapid.Float64Range(-1e9, 1e9).Draw(r, "number")
	case kind == 3:
		return rapid.Bool().Draw(r, "flag")
	case kind == 4:
		return nil
	}
	return rapid.String().Draw(r, "text")
}
