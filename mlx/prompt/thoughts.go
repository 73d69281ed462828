package prompt

import (
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// Effort says whether the model is to think before it answers.
type Effort int

// The wishes. Templates that know nothing of thinking render all of them alike.
const (
	ThinkAsTrained Effort = iota // what the template does by itself
	ThinkNot
	ThinkFirst
)

// The marks between which models write what they think (Qwen 3, DeepSeek R1, SmolLM 3 and others).
const (
	beginsThought = "<think>"
	endsThought   = "</think>"
)

// Thoughts tells how an answer has what the model thinks.
type Thoughts struct {
	Begin, End string  // around them; empty: the model does not think
	Open       bool    // the prompt ends with Begin: the answer begins inside
	Closing    []int32 // tokens that end them before the model does
}

// learnThoughts finds out whether the model thinks: its template or its vocabulary has the marks.
func (r *Renderer) learnThoughts() {
	_, isToken := r.tokens.TokenID(endsThought)
	if !isToken && !strings.Contains(r.template.Source(), endsThought) {
		return
	}
	r.thoughts = Thoughts{Begin: beginsThought, End: endsThought, Closing: r.tokens.Encode("\n" + endsThought + "\n\n")}
	for _, mark := range []string{beginsThought, endsThought} {
		if id, ok := r.tokens.TokenID(mark); ok && r.tokens.IsSpecial(id) {
			r.thoughtMarks = append(r.thoughtMarks, id)
		}
	}
	r.thinkAloud = r.speller.Keep(r.thoughtMarks)
}

// thinkingOf tells how the answer to a prompt may have thoughts.
func (r *Renderer) thinkingOf(c Conversation, text string) Thoughts {
	if c.Continue {
		return Thoughts{} // the answer goes on with what is said
	}
	t := r.thoughts
	t.Open = t.Begin != "" && strings.HasSuffix(strings.TrimRight(text, " \n"), t.Begin)
	return t
}

// thinkingVariables are those by which templates are told whether to think: Qwen's and SmolLM's, and DeepSeek's.
func thinkingVariables(wish Effort) map[string]any {
	if wish == ThinkAsTrained {
		return nil
	}
	return map[string]any{"enable_thinking": wish == ThinkFirst, "thinking": wish == ThinkFirst}
}

// sampledMarks are what stands in a sampled text as the template's own.
func (r *Renderer) sampledMarks() []string {
	marks := r.calls.Marks()
	if r.thoughts.Begin != "" {
		marks = append(append([]string{}, marks...), r.thoughts.Begin, r.thoughts.End)
	}
	return marks
}

// newThoughtDecoder returns a decoder that writes the marks of thoughts, which others leave out if they are special tokens.
func (r *Renderer) newThoughtDecoder() engine.TextDecoder {
	return r.tokens.NewDecoder().Keep(r.thoughtMarks)
}
