package prompt

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/engine"
)

// usualStops are the special tokens by which the families of models end a turn, a message or a text.
var usualStops = []string{
	"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|return|>", "<|call|>", "<|eot|>", "<|eom|>",
	"<|end_of_turn|>", "<|END_OF_TURN_TOKEN|>", "<turn|>", "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>",
}

// StopTokens are the tokens that end an answer: those that the template itself writes behind an assistant's
// turn, and the vocabulary's special tokens of the usual names. A file often names one of them only, or a
// wrong one, and then answers run on through turns that the model makes up.
func (r *Renderer) StopTokens() (ids []int32) {
	for _, name := range usualStops {
		if id, ok := r.tokens.TokenID(name); ok && r.tokens.IsSpecial(id) {
			ids = append(ids, id)
		}
	}
	if id, ok := r.endOfTurn(); ok && !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	return ids
}

// endOfTurn is the special token that the template writes right behind an assistant's text.
func (r *Renderer) endOfTurn() (id int32, ok bool) {
	in := r.settings(false, time.Now())
	const answer = "an answer"
	in.Messages = []chat.Message{{Role: "user", Content: "a question"}, {Role: "assistant", Content: answer}, {Role: "user", Content: "another"}}
	text, err := r.template.Prompt(in)
	if err != nil {
		return 0, false
	}
	_, rest, found := strings.Cut(text, answer)
	if !found {
		return 0, false
	}
	for _, token := range r.tokens.Encode(strings.TrimLeft(rest, " \n")) {
		return token, r.tokens.IsSpecial(token) && !r.begins(token)
	}
	return 0, false
}

// begins tells whether a token begins a text or a turn of somebody else, as where turns have no end of their
// own.
func (r *Renderer) begins(token int32) bool {
	in := r.settings(false, time.Now())
	in.Messages = []chat.Message{{Role: "user", Content: "a question"}}
	text, err := r.template.Prompt(in)
	if err != nil {
		return false
	}
	before, _, _ := strings.Cut(text, "a question")
	return slices.Contains(r.tokens.Encode(before), token)
}

var errEndless = errors.New("neither the model's files nor its vocabulary nor its chat template name a token that ends an answer")

// stopping is a model whose answers end with further tokens.
type stopping struct {
	engine.Model
	stop []int32
}

// Spec implements engine.Model.
func (m stopping) Spec() engine.Spec {
	spec := m.Model.Spec()
	spec.StopTokens = m.stop
	return spec
}

// WithStopTokens has the model's answers end with the given tokens as well as with its own. A token of the
// text side that the model does not know, since its vocabulary is shorter, ends nothing.
func WithStopTokens(m engine.Model, extra []int32) (engine.Model, error) {
	spec := m.Spec()
	stop := slices.Clone(spec.StopTokens)
	for _, id := range extra {
		if !slices.Contains(stop, id) && int(id) < spec.Vocabulary {
			stop = append(stop, id)
		}
	}
	if len(stop) == 0 {
		return m, errEndless
	}
	return stopping{m, stop}, nil
}
