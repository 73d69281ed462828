package anthropic

import (
	"strings"

	"github.com/agent-memory/agent-memory/mlx/prompt"
)

// attribution begins the block in which Claude Code tells Anthropic's billing its version and a checksum of the
// conversation. It stands at the head of the system prompt and changes from turn to turn: with it in the prompt nothing
// behind it would ever be read from the cache.
const attribution = "x-anthropic-billing-header:"

// withoutAttribution leaves the client's attribution out, and tells whether there was one: the first block of the system
// prompt, if it is one line that begins so. Elsewhere such a line is text like any other.
func withoutAttribution(turns []prompt.Turn) (left []prompt.Turn, was bool) {
	if len(turns) == 0 {
		return turns, false
	}
	first, others := turns[0].Parts[0], turns[0].Parts[1:]
	line := strings.TrimRight(first.Text, "\r\n")
	if !strings.HasPrefix(line, attribution) || strings.Contains(line, "\n") {
		return turns, false
	}
	if len(others) == 0 {
		return turns[1:], true
	}
	turns[0].Parts = others
	return turns, true
}
