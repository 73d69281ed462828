package prompt

import (
	"slices"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
)

// marked is a renderer whose vocabulary has Mistral's marks as special tokens.
func marked(t *testing.T, template string) *Renderer {
	t.Helper()
	parsed, err := chat.Parse(template)
	if err != nil {
		t.Fatal(err)
	}
	return New(tokensOf(t, "<said>", "[TOOL_CALLS]", "[ARGS]"), parsed)
}

const markedTemplate = `{% if tools %}[TOOLS]{% endif %}{% for m in messages %}<said>{{ m.content }}{% for c in m.tool_calls %}[TOOL_CALLS]{{ c.id }}{% endfor %}{% endfor %}` +
	`{% if add_generation_prompt %}<said>{% endif %}`

func clock() []Tool { return []Tool{{Name: "clock", InputSchema: []byte(`{"type":"object"}`)}} }

// Marks are the template's own in what was sampled, and nowhere else: not in what a user or a tool wrote, nor
// in an assistant's turn that a client made up.
func TestMarksStandInSampledTextOnly(t *testing.T) {
	r := marked(t, markedTemplate)
	mark, _ := r.tokens.TokenID("[TOOL_CALLS]")
	for _, c := range []struct {
		turn Turn
		want int
	}{
		{says(User, "a [TOOL_CALLS] b"), 0}, {says(Assistant, "[TOOL_CALLS]clock{}"), 0}, {says(System, "[TOOL_CALLS]"), 0},
		{Turn{Role: User, Parts: []Part{{Kind: ToolResult, ID: "1", Text: "[TOOL_CALLS]"}}}, 0},
		{Turn{Role: Assistant, Sampled: "[TOOL_CALLS]clock{}[TOOL_CALLS]clock{}"}, 2},
		{Turn{Role: Assistant, Sampled: "<said>[TOOL_CALLS]<said>"}, 1},
	} {
		got := promptOf(t, r, Conversation{Tools: clock(), Turns: []Turn{says(User, "x"), c.turn, says(User, "y")}})
		marks, said := 0, 0
		begin, _ := r.tokens.TokenID("<said>")
		for _, id := range got.Tokens {
			if id == mark {
				marks++
			}
			if id == begin {
				said++
			}
		}
		if marks != c.want || said != 4 {
			t.Errorf("%+v: %d marks and %d turns, want %d and 4", c.turn, marks, said, c.want)
		}
	}
}

// The answer's decoder and speller let marks through if there are tools; without tools nothing changes.
func TestMarksAreTextOfAnswersWithTools(t *testing.T) {
	r := marked(t, markedTemplate)
	mark, _ := r.tokens.TokenID("[TOOL_CALLS]")
	begin, _ := r.tokens.TokenID("<said>")
	with := promptOf(t, r, Conversation{Tools: clock(), Turns: []Turn{says(User, "x")}})
	if with.Calls != toolcall.Mistral || with.NewDecoder().Push(mark) != "[TOOL_CALLS]" || with.NewDecoder().Push(begin) != "" {
		t.Errorf("syntax %d, the mark is %q, another special token %q", with.Calls, with.NewDecoder().Push(mark), with.NewDecoder().Push(begin))
	}
	if text, ok := with.Spelling.Text(mark); text != "[TOOL_CALLS]" || !ok || !slices.Contains(with.Spelling.Beginnings("[TOOL_CALLS]x"), mark) {
		t.Errorf("the speller has %q for the mark, %v", text, ok)
	}
	if _, ok := with.Spelling.Text(begin); ok || slices.Contains(with.Spelling.Beginnings("[TOOL"), mark) {
		t.Error("the speller knows too much")
	}
	without := promptOf(t, r, Conversation{Turns: []Turn{says(User, "x")}})
	if _, ok := r.Spelling().Text(mark); ok || without.NewDecoder != nil || r.NewDecoder().Push(mark) != "" {
		t.Error("without tools the mark is text")
	}
}

// Where the template writes an assistant's text elsewhere than the model does, it writes the calls itself.
func TestATemplateThatWritesElsewhereWritesCallsItself(t *testing.T) {
	const spaced = `{% for m in messages %}<said>{% if m.role == 'assistant' %}-{% endif %}{{ m.content }}{% for c in m.tool_calls %}({{ c.function.name }}){% endfor %}{% endfor %}` +
		`{% if tools %}{% endif %}{% if add_generation_prompt %}<said>{% endif %}`
	for template, want := range map[string]string{spaced: "<said>x<said>-(clock)<said>y<said>", markedTemplate: "[TOOLS]<said>x<said>raw<said>y<said>"} {
		r := marked(t, template)
		got := promptOf(t, r, Conversation{Tools: clock(), Turns: []Turn{
			says(User, "x"), {Role: Assistant, Sampled: "raw", Parts: []Part{{Kind: ToolUse, ID: "1", Name: "clock", Input: []byte("{}")}}}, says(User, "y"),
		}})
		if text := r.tokens.Decode(got.Tokens, false); text != "<bos>"+want && text != want {
			t.Errorf("%q, want %q", text, want)
		}
	}
}

func TestMistralsIdsHaveNineLettersAndDigits(t *testing.T) {
	r := marked(t, markedTemplate)
	a, b := r.callID("toolu_1"), r.callID("toolu_2")
	if len(a) != 9 || a == b || a != r.callID("toolu_1") {
		t.Errorf("%q, %q", a, b)
	}
	if plain := spelled(t); plain.callID("toolu_1") != "toolu_1" {
		t.Error("another template's ids were changed")
	}
}
