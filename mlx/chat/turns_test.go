package chat

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// gemma2 is the form of Gemma 2's template: it raises on a system turn and on turns that do not alternate.
const gemma2 = `{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}` +
	`{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}` +
	`{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}`

const everyTurn = `{% for m in messages %}[{{ m['role'] }}:{{ m['content'] }}]{% endfor %}`

func TestATemplateIsAskedWhichTurnsItTakes(t *testing.T) {
	for source, want := range map[string]Turns{
		gemma2:    {NoSystem: true, Alternate: true},
		everyTurn: {},
		`{% for m in messages if m['role'] != 'system' %}{{ m['content'] }}{% endfor %}`:                  {NoSystem: true}, // left out without a word
		`{{ raise_exception('never') }}`:                                                                  {},
		`{% for m in messages %}{{ m['content'].missing.missing }}{% endfor %}`:                           {},
		`{% if messages[1] is defined %}{{ raise_exception('one') }}{% endif %}{{ messages[0].content }}`: {NoSystem: true, Alternate: true},
	} {
		tmpl, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.Probe(Prompt{Now: time.Unix(0, 0), AddGenerationPrompt: true}); got != want {
			t.Errorf("%s: %+v, expected %+v", source, got, want)
		}
	}
	if got := smollm2(t).Probe(Prompt{Now: time.Unix(0, 0)}); got != (Turns{}) {
		t.Errorf("SmolLM2's template demands %+v", got)
	}
}

func promptOf(t *testing.T, source string, turns Turns, tools []Tool, messages ...Message) string {
	t.Helper()
	tmpl, err := Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	text, err := tmpl.Prompt(Prompt{Messages: messages, Tools: tools, Turns: turns, Now: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTurnsAreArrangedAsATemplateTakesThem(t *testing.T) {
	system, ask, more, answer := Message{Role: "system", Content: "S"}, Message{Role: "user", Content: "A"}, Message{Role: "user", Content: "B"}, Message{Role: "assistant", Content: "C"}
	both := Turns{NoSystem: true, Alternate: true}
	for _, c := range []struct {
		turns    Turns
		messages []Message
		want     string
	}{
		{Turns{}, []Message{system, ask, more, answer}, "[system:S][user:A][user:B][assistant:C]"},
		{Turns{NoSystem: true}, []Message{system, ask, more, answer}, "[user:S\n\nA][user:B][assistant:C]"},
		{both, []Message{system, ask, more, answer}, "[user:S\n\nA\n\nB][assistant:C]"},
		{both, []Message{system}, "[user:S]"},
		{both, []Message{system, answer}, "[user:S][assistant:C]"},
		{both, []Message{ask, answer, system, system, more}, "[user:A][assistant:C][user:S\n\nS\n\nB]"},
		{both, []Message{ask, answer, answer, system}, "[user:A][assistant:C\n\nC][user:S]"},
		{Turns{Alternate: true}, []Message{system, ask, more}, "[system:S][user:A\n\nB]"},
		{both, []Message{system, {Role: "user"}}, "[user:S]"},
	} {
		before := append([]Message{}, c.messages...)
		if got := promptOf(t, everyTurn, c.turns, nil, c.messages...); got != c.want {
			t.Errorf("%+v: %q, expected %q", c.turns, got, c.want)
		}
		for i := range before {
			if before[i].Content != c.messages[i].Content {
				t.Errorf("%+v changed the caller's messages", c.turns)
			}
		}
	}
	results := []Message{{Role: "tool", Content: "1"}, {Role: "tool", Content: "2"}}
	if got := promptOf(t, `{{ tools }}`+everyTurn, both, nil, results...); got != "None[tool:1][tool:2]" {
		t.Errorf("results of tools for a template that knows them: %q", got)
	}
}

func TestToolsReachATemplateWithoutSystemTurns(t *testing.T) {
	got := promptOf(t, gemma2, Turns{NoSystem: true, Alternate: true},
		[]Tool{{Name: "get_weather", Description: "Tells the weather"}},
		Message{Role: "system", Content: "Be brief."}, Message{Role: "user", Content: "Weather?"},
		Message{Role: "assistant", ToolCalls: []ToolCall{{ID: "1", Name: "get_weather", Arguments: []byte(`{}`)}}},
		Message{Role: "tool", ToolCallID: "1", Content: "rain"}, Message{Role: "user", Content: "And tomorrow?"})
	for _, part := range []string{"<start_of_turn>user\nBe brief.\n\nYou can use these tools.", "get_weather: Tells the weather\n\nWeather?<end_of_turn>\n",
		"<start_of_turn>model\n{\"name\": \"get_weather\"", "<start_of_turn>user\nThe tool answered:\nrain\n\nAnd tomorrow?<end_of_turn>\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in %q", part, got)
		}
	}
}

// What merging allocates grows with the turns and not with their square.
func TestMergingTurnsIsLinear(t *testing.T) {
	allocated := func(n int, role string) uint64 {
		messages := make([]Message, n)
		for i := range messages {
			messages[i] = Message{Role: role, Content: strings.Repeat("x", 100), ToolCalls: []ToolCall{{ID: "1"}}}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Prompt{Messages: messages, Turns: Turns{NoSystem: true, Alternate: true}}.forTemplate()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	for _, role := range []string{"user", "system", "assistant"} {
		if few, many := allocated(200, role), allocated(3200, role); many > 50*few {
			t.Errorf("%s: 200 turns take %d bytes, 3200 take %d", role, few, many)
		}
	}
}
