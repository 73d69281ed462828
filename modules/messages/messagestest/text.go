package messagestest

import (
	"context"
	"fmt"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
)

// ByteText renders conversations as bytes.
type ByteText struct{ Prompting func(ctx context.Context) }

// Render implements messages.Renderer. It refuses the text "unspeakable".
func (b ByteText) Render(ctx context.Context, c prompt.Conversation) (prompt.Rendered, error) {
	var p prompt.Rendered
	if b.Prompting != nil {
		b.Prompting(ctx)
		if err := ctx.Err(); err != nil {
			return p, err
		}
	}
	for _, tool := range c.Tools {
		p.Tokens = append(p.Tokens, enginetest.Encode("tool "+tool.Name+"\n")...)
	}
	for _, turn := range c.Turns {
		p.Tokens = append(p.Tokens, enginetest.Encode(string(turn.Role)+":")...)
		for _, part := range turn.Parts {
			if part.Text == "unspeakable" {
				return p, &prompt.RefusedError{Reason: "the template refuses it"}
			}
			p.Tokens = append(p.Tokens, enginetest.Encode(part.Text)...)
			if part.Breakpoint {
				p.Marked = len(p.Tokens)
			}
		}
	}
	p.Tokens = append(p.Tokens, enginetest.AnswerToken)
	return p, nil
}

// Diverge implements messages.Renderer.
func (ByteText) Diverge(ctx context.Context, a, b prompt.Conversation) (int, error) {
	return Diverge(ctx, ByteText{}.Render, a, b)
}

// Diverge returns the first token in which two conversations differ as they are rendered, or -1.
func Diverge(
	ctx context.Context, render func(context.Context, prompt.Conversation) (prompt.Rendered, error), a, b prompt.Conversation,
) (int, error) {
	one, err := render(ctx, a)
	if err != nil {
		return -1, err
	}
	other, err := render(ctx, b)
	if err != nil {
		return -1, err
	}
	for i := range min(len(one.Tokens), len(other.Tokens)) {
		if one.Tokens[i] != other.Tokens[i] {
			return i, nil
		}
	}
	if len(one.Tokens) == len(other.Tokens) {
		return -1, nil
	}
	return min(len(one.Tokens), len(other.Tokens)), nil
}

// Plain implements messages.Renderer.
func (ByteText) Plain(_ context.Context, text string, _ int) (prompt.Rendered, error) {
	return prompt.Rendered{Tokens: append(enginetest.Encode(text), enginetest.AnswerToken), NewDecoder: enginetest.NewDecoder}, nil
}

// NewDecoder implements messages.Renderer.
func (ByteText) NewDecoder() engine.TextDecoder { return enginetest.NewDecoder() }

// Spelling implements messages.Renderer.
func (ByteText) Spelling() prefix.Spelling { return nil }

// Scripted is a real renderer of a chat template, over a vocabulary of bytes and marks of turns and calls.
func Scripted(t *testing.T, source string) (*prompt.Renderer, *tokenizer.Tokenizer) {
	t.Helper()
	v := tokenizer.Vocabulary{
		Model: "llama", BOS: -1, EOS: -1, UNK: -1,
		Tokens: []string{"<|im_start|>", "<|im_end|>", "[TOOL_CALLS]", "<|python_tag|>", "<tool_call>", "</tool_call>", "▁"},
		Types:  []int32{3, 3, 3, 3, 4, 4, 1},
	}
	for b := range 256 {
		v.Tokens, v.Types = append(v.Tokens, fmt.Sprintf("<0x%02X>", b)), append(v.Types, 6)
	}
	v.Scores = make([]float32, len(v.Tokens))
	tokens, err := tokenizer.FromGGUF(v)
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return prompt.New(tokens, template), tokens
}

// Saying changes a setup so that the model writes the given answers, one after the other, to prompts of a chat template whose
// assistant's turns begin with "<|im_start|>assistant\n".
func (s Setup) Saying(t *testing.T, source string, answers ...string) Setup {
	t.Helper()
	renderer, tokens := Scripted(t, source)
	end, _ := tokens.TokenID("<|im_end|>")
	var script [][]int32
	for _, answer := range answers {
		script = append(script, tokens.Encode(answer))
	}
	s.Model = enginetest.Config{
		Vocabulary: tokens.VocabSize(), End: end, Answer: enginetest.Script(tokens.Encode("<|im_start|>assistant\n"), end, script...),
	}
	s.Renderer, s.MaxBody, s.Engine = renderer, 1<<20, WithMemory
	return s
}

// WithMemory has prompts read that were computed before.
func WithMemory(c *engine.Config) {
	c.Tenant = func(name string) *kv.Tenant { return kv.NewTenant([]byte("cluster"), name) }
}

// HermesTemplate is in the form of the templates of Hermes and Qwen.
const HermesTemplate = `{% if tools %}<|im_start|>system
Call functions within <tool_call></tool_call>. {% for t in tools %}{{ t | tojson }}
{% endfor %}<|im_end|>
{% endif %}{% for m in messages %}{% if m.role == 'tool' %}<|im_start|>user
<tool_response>
{{ m.content }}
</tool_response><|im_end|>
{% elif m.tool_calls %}<|im_start|>assistant
{{ m.content }}{% for c in m.tool_calls %}
<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% else %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

// ThinkingTemplate is in the form of Qwen 3's: what was thought stays while tools are called for the same question, and the
// prompt for an answer without thoughts has none at its end.
const ThinkingTemplate = `{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}` +
	`{% if tools %}<|im_start|>system
Call functions within <tool_call></tool_call>. {% for t in tools %}{{ t | tojson }}
{% endfor %}<|im_end|>
{% endif %}{% for m in messages %}{% if m.role == 'tool' %}<|im_start|>user
<tool_response>
{{ m.content }}
</tool_response><|im_end|>
{% elif m.role == 'assistant' %}{% set said = m.content if m.content is string else '' %}{% set thought = m.reasoning_content if m.reasoning_content is string else '' %}` +
	`{% if '</think>' in said %}{% set thought = said.split('</think>')[0].split('<think>')[-1].strip('\n') %}{% set said = said.split('</think>')[-1].lstrip('\n') %}{% endif %}<|im_start|>assistant
{% if thought and loop.index0 > ns.last %}<think>
{{ thought }}
</think>

{% endif %}{{ said }}{% for c in m.tool_calls %}
<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% else %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and enable_thinking is false %}<think>

</think>

{% endif %}{% endif %}`
