package anthropic_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/modules/messages/messagestest"
)

// thoughtful is an answer with thoughts.
type thoughtful struct {
	Content    []thoughtfulBlock
	StopReason string `json:"stop_reason"`
	Usage      struct {
		Input  int `json:"input_tokens"`
		Read   int `json:"cache_read_input_tokens"`
		Output int `json:"output_tokens"`
	}
}

type thoughtfulBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	Thinking  string          `json:"thinking,omitempty"`
	Signature string          `json:"signature,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

func (a thoughtful) shown() string {
	var b strings.Builder
	for _, block := range a.Content {
		fmt.Fprintf(&b, "%s(%s%s%s) ", block.Type, block.Text, block.Thinking, block.Input)
	}
	return b.String() + a.StopReason
}

func ponder(t *testing.T, server *server, thinking string, more string, turns ...string) (answer thoughtful) {
	t.Helper()
	body := `{"model":"claude-x","max_tokens":200,"thinking":` + thinking + more + `,"messages":[` + strings.Join(turns, ",") + `]}`
	got := post(t, server, "/v1/messages", body, "X-Agent-Id", "a")
	raw := text(t, got)
	if err := json.Unmarshal([]byte(raw), &answer); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, raw)
	}
	return answer
}

const (
	question = `{"role":"user","content":"What?"}`
	adaptive = `{"type":"adaptive"}`
)

func TestThoughtsAreBlocksWithASignature(t *testing.T) {
	server := saying(t, messagestest.ThinkingTemplate, "<think>\nHm.\nSo.\n</think>\n\nFine.")
	if answer := ponder(t, server, adaptive, "", question); answer.shown() != "thinking(Hm.\nSo.) text(Fine.) end_turn" || answer.Content[0].Signature == "" {
		t.Errorf("%s", answer.shown())
	}
	silent := saying(t, messagestest.ThinkingTemplate, "<think>\n\n</think>\n\nFine.") // which the prompt has begun where no thoughts are wanted
	always := saying(t, strings.ReplaceAll(messagestest.ThinkingTemplate, "enable_thinking", "unknown"), "<think>\nHm.\n</think>\n\nFine.")
	for _, thinking := range []string{`{"type":"disabled"}`, "null"} {
		for _, server := range []*messagestest.Server{silent, always} {
			if answer := ponder(t, server, thinking, "", question); answer.shown() != "text(Fine.) end_turn" {
				t.Errorf("%s: %s", thinking, answer.shown())
			}
		}
	}
	streamed := text(t, post(t, server, "/v1/messages", `{"model":"claude-x","max_tokens":60,"stream":true,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[`+question+`]}`))
	var thought, signature, said string
	for line := range strings.SplitSeq(streamed, "\n") {
		var event struct {
			Delta struct{ Thinking, Signature, Text string }
		}
		if data, isData := strings.CutPrefix(line, "data: "); isData && json.Unmarshal([]byte(data), &event) == nil {
			thought, signature, said = thought+event.Delta.Thinking, signature+event.Delta.Signature, said+event.Delta.Text
		}
	}
	if thought != "Hm.\nSo." || said != "Fine." || signature == "" || strings.Index(streamed, "signature_delta") > strings.Index(streamed, "text_delta") {
		t.Errorf("%q %q %q\n%s", thought, said, signature, streamed)
	}
}

// Thoughts that come back within a loop of calls are the model's own: nothing but the result is computed. Behind the next
// question the template drops them.
func TestThoughtsAreReplayed(t *testing.T) {
	call := "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>"
	server := saying(t, messagestest.ThinkingTemplate, "<think>\nA clock.\n</think>\n\n"+call, "<think>\nNow.\n</think>\n\nTwelve.", "<think>\nWell.\n</think>\n\nYes.")
	tools := `,"tools":[{"name":"clock","input_schema":{"type":"object"}}]`
	first := ponder(t, server, adaptive, tools, question)
	if first.shown() != "thinking(A clock.) tool_use({}) tool_use" {
		t.Fatal(first.shown())
	}
	said, err := json.Marshal(first.Content)
	if err != nil {
		t.Fatal(err)
	}
	turns := []string{question, `{"role":"assistant","content":` + string(said) + `}`,
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + first.Content[1].ID + `","content":"12"}]}`}
	second := ponder(t, server, adaptive, tools, turns...)
	if before := first.Usage.Input + first.Usage.Read + first.Usage.Output; second.shown() != "thinking(Now.) text(Twelve.) end_turn" || second.Usage.Read < before-1 {
		t.Errorf("%s: read %d of %d", second.shown(), second.Usage.Read, before)
	}
	// Somebody else's thought, or a changed one, is not shown to the model; one without a signature is.
	count := func(block string) (n struct {
		Input int `json:"input_tokens"`
	}) {
		body := `{"model":"claude-x","messages":[` + question + `,{"role":"assistant","content":[` + block + `{"type":"tool_use","id":"c1","name":"clock","input":{}}]},` +
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"12"}]}]` + tools + `}`
		raw := text(t, post(t, server, "/v1/messages/count_tokens", body))
		if err := json.Unmarshal([]byte(raw), &n); err != nil || n.Input == 0 {
			t.Fatal(raw)
		}
		return n
	}
	block := func(thought, signature string) string {
		return fmt.Sprintf(`{"type":"thinking","thinking":%q,"signature":%q},`, thought, signature)
	}
	own := first.Content[0]
	none := count("")
	for _, test := range []struct {
		block   string
		isShown bool
	}{
		{block(own.Thinking, own.Signature), true}, {block("A clock!", own.Signature), false}, {block(own.Thinking, "somebody else's"), false}, {block(own.Thinking, ""), true},
	} {
		if isShown := count(test.block) != none; isShown != test.isShown {
			t.Errorf("%s: shown %v", test.block, isShown)
		}
	}
}

// A budget ends thoughts that go on for longer, and the answer follows.
func TestThoughtsEndWithTheirBudget(t *testing.T) {
	server := saying(t, messagestest.ThinkingTemplate, "<think>\nOne. Two. Three. Four. Five. Six. Seven. Eight.")
	answer := ponder(t, server, `{"type":"enabled","budget_tokens":12}`, "", question)
	if len(answer.Content) == 0 || answer.Content[0].Type != "thinking" || len(answer.Content[0].Thinking) > 12 || !strings.HasPrefix("One. Two. Three.", answer.Content[0].Thinking) {
		t.Errorf("%s", answer.shown())
	}
}
