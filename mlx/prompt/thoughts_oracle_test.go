//go:build oracle

package prompt

import (
	"strings"
	"testing"
)

// The real templates of models that think: those of Qwen 3 are told whether to, and a thought that comes back in a loop of calls
// is found as it was sampled.
func TestRealTemplatesThink(t *testing.T) {
	checked := map[string]bool{}
	eachTemplate(t, spelled(t).tokens, func(name string, r *Renderer) {
		if !strings.Contains(name, "Qwen3-0.6B") && !strings.Contains(name, "QwQ") && !strings.Contains(name, "DeepSeek-R1-Distill-Qwen") && !strings.Contains(name, "SmolLM3") {
			return
		}
		checked[name] = true
		if r.thoughts.Begin == "" {
			t.Fatalf("%s: is not known to think", name)
		}
		c := Conversation{Turns: []Turn{says(User, "When?")}}
		render := func(effort Effort) (Rendered, string) {
			c.Effort = effort
			got, err := r.Render(t.Context(), c)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return got, r.tokens.Decode(got.Tokens, false)
		}
		thinks, first := render(ThinkFirst)
		_, not := render(ThinkNot)
		switch {
		case strings.Contains(name, "Qwen3-0.6B"):
			if !strings.HasSuffix(not, "<think>\n\n</think>\n\n") || strings.HasSuffix(first, "</think>\n\n") || thinks.Thoughts.Open {
				t.Errorf("%s: %q, without thinking %q", name, first, not)
			}
		case strings.Contains(name, "SmolLM3"):
			if first == not {
				t.Errorf("%s: is not told whether to think", name)
			}
		default:
			if !thinks.Thoughts.Open {
				t.Errorf("%s: the answer to %q begins within a thought", name, first)
			}
		}
	})
	if len(checked) < 4 {
		t.Errorf("only %v were there", checked)
	}
}

func TestRealTemplatesReplayThoughtsOfCalls(t *testing.T) {
	checked := 0
	eachTemplate(t, spelled(t).tokens, func(name string, r *Renderer) {
		if !strings.Contains(name, "Qwen3-0.6B") {
			return
		}
		checked++
		sampled := "<think>\nI need a clock.\n</think>\n\n<tool_call>\n{\"arguments\": {\"a\":  1}, \"name\": \"clock\"}\n</tool_call>"
		got, err := r.Render(t.Context(), Conversation{
			Tools: []Tool{{Name: "clock", Description: "Tells the time", InputSchema: []byte(`{"type":"object","properties":{}}`)}},
			Turns: []Turn{
				says(User, "When?"),
				{Role: Assistant, Sampled: sampled, Parts: []Part{{Kind: Thinking, Text: "I need a clock."}, {Kind: ToolUse, ID: "c", Name: "clock", Input: []byte(`{"a":1}`)}}},
				{Role: User, Parts: []Part{{Kind: ToolResult, ID: "c", Text: "noon"}}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Answers) != 1 || r.tokens.Decode(got.Tokens[got.Answers[0].From:got.Answers[0].To], false) != sampled {
			t.Errorf("%s: the sampled call is not found in %q", name, r.tokens.Decode(got.Tokens, false))
		}
	})
	if checked == 0 {
		t.Error("Qwen 3's template was not there")
	}
}
