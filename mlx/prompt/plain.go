package prompt

import (
	"context"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// Plain turns a text into the tokens of a prompt that goes on with it: no template is around it, and nothing in it is a
// special token. What the vocabulary puts before every text comes before it. An answer's text is exactly what follows. The
// errors are those of Render.
func (r *Renderer) Plain(ctx context.Context, text string, most int) (Rendered, error) {
	if widest := r.tokens.WidestToken(); most > 0 && widest > 0 && len(text)/widest > most {
		return Rendered{}, &engine.TooLongError{Prompt: len(text) / widest, Context: most, Least: true}
	}
	out, err := r.encode(ctx, r.tokens.Guard(text), nil, most)
	if err != nil {
		return out, err
	}
	before, _ := r.tokens.Special()
	out.Tokens = slices.Concat(before, out.Tokens)
	out.NewDecoder = func() engine.TextDecoder { return r.tokens.NewDecoder().Behind() }
	out.Spelling = r.speller
	if len(out.Tokens) == 0 {
		return out, &RefusedError{Reason: "it is empty, and this model's vocabulary has no token that begins a text"}
	}
	return out, nil
}
