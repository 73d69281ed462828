package prompt

import (
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// The size of a conversation's texts alone tells of the longest ones that they can't fit: they are refused before they are
// rendered, which takes several times their memory.

// refuseBySize returns an *engine.TooLongError if the texts that templates render have so many bytes that they are more than
// the conversation's Most tokens, however well they are spelled.
func (r *Renderer) refuseBySize(c Conversation) error {
	widest := r.tokens.WidestToken()
	if c.Most == 0 || widest == 0 {
		return nil
	}
	if least := c.renderedBytes() / widest; least > c.Most {
		return &engine.TooLongError{Prompt: least, Context: c.Most, Least: true}
	}
	return nil
}

// endOfThinking ends what templates leave out of an assistant's earlier turns.
const endOfThinking = "</think>"

// renderedBytes is how many bytes of its texts a prompt has at least. White space at the ends of texts and what was thought
// is not counted, since templates drop it.
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
			bytes += len(strings.TrimSpace(text))
		}
	}
	return bytes
}
