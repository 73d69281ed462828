package prompt

import (
	"context"
	"time"
)

// Diverge returns the first byte in which the rendered texts of two conversations differ, or -1 if there is none. It
// returns what Render returns for a conversation that can't be rendered.
func (r *Renderer) Diverge(ctx context.Context, a, b Conversation) (int, error) {
	now := time.Now() // a template may write it
	var texts [2]string
	for i, c := range []Conversation{a, b} {
		text, err := r.text(r.conversation(ctx, c, !c.Continue, now))
		if err != nil {
			return -1, awaited(ctx, err)
		}
		texts[i] = text
	}
	if texts[0] == texts[1] {
		return -1, nil
	}
	shorter := min(len(texts[0]), len(texts[1]))
	for i := range shorter {
		if texts[0][i] != texts[1][i] {
			return i, nil
		}
	}
	return shorter, nil
}
