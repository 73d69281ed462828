package prompt

import (
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// The size of a conversation's texts alone tells that the longest ones can't fit. They are refused before
// they are rendered, which would take several times their memory.

// refuseBySize returns an *engine.TooLongError if a conversation has so many turns, or its texts so many
// bytes, that they are more than its Most tokens, however well they are spelled.
func (r *Renderer) refuseBySize(c Conversation) error {
	if c.Most == 0 {
		return nil
	}
	minTokens := c.changesOfRole()
	if maxTokenBytes := r.tokens.WidestToken(); maxTokenBytes > 0 {
		minTokens = max(minTokens, c.renderedBytes()/maxTokenBytes)
	}
	if minTokens > c.Most {
		return &engine.TooLongError{Prompt: minTokens, Context: c.Most, Least: true}
	}
	return nil
}

// changesOfRole is how often the speaker changes: templates put at least a token between two sides.
func (c Conversation) changesOfRole() int {
	changes := 0
	for i := 1; i < len(c.Turns); i++ {
		if c.Turns[i].Role != c.Turns[i-1].Role {
			changes++
		}
	}
	return changes
}

// endOfThinking ends what templates leave out of an assistant's earlier turns.
const endOfThinking = "</think>"

// renderedBytes is how many bytes of a conversation's texts templates render. What was thought is not
// counted, since they drop it; white space at the ends of texts is, though some trim it: nobody sends several
// contexts of it.
func (c Conversation) renderedBytes() int {
	bytes := 0
	for _, turn := range c.Turns {
		for _, part := range turn.Parts {
			if part.Kind == Thinking {
				continue
			}
			text := part.Text
			if turn.Role == Assistant {
				text = text[strings.LastIndex(text, endOfThinking)+1:]
			}
			bytes += len(text)
		}
	}
	return bytes
}
