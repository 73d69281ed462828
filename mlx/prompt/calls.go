package prompt

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
)

// learnCalls finds out how the template's model writes calls of tools.
func (r *Renderer) learnCalls() {
	if r.template.UsesTools() {
		r.calls = toolcall.Of(r.template.Source())
	}
	for _, mark := range r.calls.Marks() {
		if id, ok := r.tokens.TokenID(mark); ok && r.tokens.IsSpecial(id) {
			r.marks = append(r.marks, id)
		}
	}
	r.marks = append(r.marks, r.thoughtMarks...)
	r.mentions = r.speller.Keep(r.marks)
	r.replays = r.writesBehindGenerationPrompt()
}

// newCallDecoder returns a decoder that writes the marks of calls, which others leave out if they are special
// tokens.
func (r *Renderer) newCallDecoder() engine.TextDecoder { return r.tokens.NewDecoder().Keep(r.marks) }

// writesBehindGenerationPrompt tells whether the template writes an assistant's text where the model writes
// it. Where it does not, a turn with calls is left to the template: elsewhere the model would not know its
// own calls.
func (r *Renderer) writesBehindGenerationPrompt() bool {
	const question, answer = "a question", "an answer"
	in := r.settings(true, time.Now())
	in.Tools = []chat.Tool{{Name: "tool", Description: "a tool", Parameters: []byte(`{"type":"object","properties":{}}`)}}
	in.Messages = []chat.Message{{Role: "user", Content: question}}
	before, err := r.template.Prompt(in)
	if err != nil {
		return false
	}
	in.AddGenerationPrompt = false
	in.Messages = append(in.Messages, chat.Message{Role: "assistant", Content: answer}, chat.Message{Role: "user", Content: question})
	whole, err := r.template.Prompt(in)
	return err == nil && strings.HasPrefix(whole, before+answer)
}

// callID is the id of a call as the template takes it: Mistral's take nine letters and digits only.
func (r *Renderer) callID(id string) string {
	if r.calls != toolcall.Mistral {
		return id
	}
	const letters = "0123456789abcdefghijklmnopqrstuv"
	sum := sha256.Sum256([]byte(id))
	short := sum[:9]
	for i, b := range short {
		short[i] = letters[int(b)%len(letters)]
	}
	return string(short)
}
