package divergence

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/prompt"
)

// Whether the model sees a part, and where, is found by rendering the conversation with the part altered: templates leave
// out ids, or what the assistant thought in earlier turns, and write tools before or behind the system prompt.

// place tells near which byte of the prompt the difference lies, and whether the model sees it.
func (d *difference) place(ctx context.Context, r Renderer, schema string, c prompt.Conversation) (at int, isSeen bool) {
	if d.near == nil {
		return 0, true
	}
	base, altered := c, c
	switch {
	case d.near.kind == Tools:
		altered.Tools = d.alteredTools(c.Tools, schema)
	case d.change == Removed && d.before.kind == Thinking:
		base, altered = withThought(c, d.near.part)
	default:
		base, altered = withPart(c, d.near.part, d.alter)
	}
	at, err := r.Diverge(ctx, base, altered)
	if err != nil { // it can't be told; that it differs is known
		return 0, true
	}
	return at, at >= 0 || d.change == Removed && d.before.kind != Thinking
}

// alteredTools are the tools with the field changed that differs: the schema, at its end, unless that is another one.
func (d *difference) alteredTools(tools []prompt.Tool, schema string) []prompt.Tool {
	tools = slices.Clone(tools)
	i := slices.IndexFunc(tools, func(t prompt.Tool) bool { return t.Place == d.near.place })
	if i < 0 {
		return tools
	}
	field := schema
	if d.change == Changed {
		field = d.toolField(schema)
	}
	switch t := &tools[i]; {
	case field == schema:
		t.InputSchema = widened(t.InputSchema)
	case strings.HasSuffix(field, nameField):
		t.Name += alteration
	default:
		t.Description += alteration
	}
	return tools
}

// alteration is what is added to a text to see where it stands.
const alteration = "x"

// widened is a JSON object with one more field, at its end.
func widened(raw json.RawMessage) json.RawMessage {
	open := bytes.TrimSpace(raw[:max(0, bytes.LastIndexByte(raw, '}'))])
	field := `,"zz_` + alteration + `":0}`
	if bytes.HasSuffix(open, []byte("{")) {
		field = field[1:]
	}
	return append(slices.Clone(open), field...)
}

// alter changes a part in the way in which it differs from what it was.
func (d *difference) alter(part *prompt.Part) {
	switch {
	case d.change == Changed && d.before.content == d.now.content:
		part.ID += alteration
	case part.Kind == prompt.ToolUse:
		part.Input = widened(part.Input)
	case d.change == Changed && d.before.trimmed == d.now.trimmed:
		part.Text += " "
	default:
		part.Text += alteration
	}
}

// withPart returns a conversation as the template writes the part's turn, and the same with the part altered.
func withPart(c prompt.Conversation, at partOf, alter func(*prompt.Part)) (base, altered prompt.Conversation) {
	base, altered = c, c
	base.Turns, altered.Turns = slices.Clone(c.Turns), slices.Clone(c.Turns)
	base.Turns[at.turn].Sampled, altered.Turns[at.turn].Sampled = "", ""
	turn := &altered.Turns[at.turn]
	turn.Parts = slices.Clone(turn.Parts)
	alter(&turn.Parts[at.part])
	return base, altered
}

// withThought returns a conversation as the template writes the turn, and the same with a thought at its head.
func withThought(c prompt.Conversation, at partOf) (base, altered prompt.Conversation) {
	base, altered = withPart(c, at, func(*prompt.Part) {})
	turn := &altered.Turns[at.turn]
	if turn.Role == prompt.Assistant {
		turn.Parts = slices.Insert(turn.Parts, 0, prompt.Part{Kind: prompt.Thinking, Text: alteration})
	}
	return base, altered
}
