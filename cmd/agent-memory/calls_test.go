package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
)

// toolTemplate is a template in the form of Hermes's and Qwen's.
const toolTemplate = `{% if tools %}<|im_start|>system
Call within <tool_call></tool_call>. {{ tools | tojson }}<|im_end|>
{% endif %}{% for m in messages %}<|im_start|>{{ 'user' if m.role == 'tool' else m.role }}
{{ m.content }}{% for c in m.tool_calls %}
<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

// agentOf is a renderer of bytes and a model that does an agent's task: the given answers, one after the
// other.
func agentOf(t *testing.T, answers ...string) (*prompt.Renderer, enginetest.Config) {
	t.Helper()
	v := tokenizer.Vocabulary{
		Model: "llama", BOS: -1, EOS: -1, UNK: -1, Types: []int32{3, 3, 4, 4, 1},
		Tokens: []string{"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "▁"},
	}
	for b := range 256 {
		v.Tokens, v.Types = append(v.Tokens, fmt.Sprintf("<0x%02X>", b)), append(v.Types, 6)
	}
	v.Scores = make([]float32, len(v.Tokens))
	tokens, err := tokenizer.FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Parse(toolTemplate)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := tokens.TokenID("<|im_end|>")
	var script [][]int32
	for _, answer := range answers {
		script = append(script, tokens.Encode(answer))
	}
	return prompt.New(tokens, template), enginetest.Config{
		Vocabulary: tokens.VocabSize(), End: end, Answer: enginetest.Script(tokens.Encode("<|im_start|>assistant\n"), end, script...),
	}
}

// toolAnswer is what a client keeps of an answer: its content as it is, and the figures.
type toolAnswer struct {
	Content    []json.RawMessage
	StopReason string `json:"stop_reason"`
	Usage      struct {
		Input  int `json:"input_tokens"`
		Read   int `json:"cache_read_input_tokens"`
		Output int `json:"output_tokens"`
	}
}

// step asks for the next answer and adds it to the conversation, with a result for each call.
func step(t *testing.T, r *running, turns *[]string) (a toolAnswer) {
	t.Helper()
	request := fmt.Sprintf(`{"model":"claude-x","max_tokens":2000,"temperature":0,"messages":[%s],"tools":[
		{"name":"read","input_schema":{"type":"object"}},{"name":"edit","input_schema":{"type":"object"}},{"name":"run","input_schema":{"type":"object"}}]}`,
		strings.Join(*turns, ","))
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Agent-Id", "a")
	answer := send(t, req)
	raw := body(t, answer)
	if err := json.Unmarshal([]byte(raw), &a); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", answer.StatusCode, raw, err)
	}
	content, err := json.Marshal(a.Content)
	if err != nil {
		t.Fatal(err)
	}
	var results []string
	for _, block := range a.Content {
		var b struct{ Type, ID string }
		if err := json.Unmarshal(block, &b); err != nil {
			t.Fatal(err)
		}
		if b.Type == "tool_use" {
			results = append(results, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"some lines"}`, b.ID))
		}
	}
	*turns = append(*turns, fmt.Sprintf(`{"role":"assistant","content":%s}`, content))
	if len(results) > 0 {
		*turns = append(*turns, fmt.Sprintf(`{"role":"user","content":[%s]}`, strings.Join(results, ",")))
	}
	return a
}

// An agent's loop of calls goes on after a restart in its middle: what was said is read from the disk, calls
// included, and no more is computed than what came to it.
func TestALoopOfCallsGoesOnAfterARestart(t *testing.T) {
	long := strings.Repeat("x", 300)
	renderer, model := agentOf(t,
		"I read it.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a.go\", \"note\": \""+long+"\"}}\n</tool_call>",
		"<tool_call>\n{\"name\": \"edit\", \"arguments\": {\"text\": \"a \\\"b\\\" <c>\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"run\", \"arguments\": {}}\n</tool_call>",
		"<tool_call>\n{\"name\": \"run\", \"arguments\": {\"n\": [1, 2]}}\n</tool_call>",
		"All is done.")
	turns := []string{`{"role":"user","content":"Mend it."}`}
	dir := t.TempDir()
	known := 0
	for i, want := range []string{"tool_use", "tool_use", "tool_use", "end_turn"} {
		r := launchWith(t, model, renderer, func(c *config.Config) { c.Agent.CacheDir, c.Server.Audit = dir, 1 })
		if i > 0 { // this model computes quicker than any disk is listed and read
			r.durable(t, "/v1/agents/a")
			if status, text := r.call(t, http.MethodPost, "/v1/agents/a/prefetch", "", ""); status != http.StatusOK {
				t.Fatalf("prefetch: %d %s", status, text)
			}
		}
		before := len(turns)
		a := step(t, r, &turns)
		if a.StopReason != want {
			t.Fatalf("answer %d: %s", i, turns[before])
		}
		if a.Usage.Read < known {
			t.Errorf("answer %d: %d tokens were read, of %d that were there", i, a.Usage.Read, known)
		}
		known = a.Usage.Input + a.Usage.Read + a.Usage.Output - 1 // the end's own KV is not computed
		r.durable(t, "/v1/agents/a")
		eventually(t, "an audit", func() bool {
			audits := body(t, r.get(t, "/metrics"))
			if strings.Contains(audits, `semantic_audits_total{result="differs"} 1`) {
				t.Errorf("answer %d differs from what is computed without any cache", i)
			}
			return !strings.Contains(audits, `semantic_audits_total{result="equal"} 0`)
		})
		r.leave()
		if err := <-r.ended; err != nil {
			t.Fatal(err)
		}
	}
}
