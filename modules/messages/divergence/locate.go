package divergence

import (
	"context"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/prompt"
)

// Tokens renders a conversation to tokens.
type Tokens func(ctx context.Context, c prompt.Conversation) ([]int32, error)

// Locate returns the path, in the caller's JSON, of the part that holds a token of the conversation's prompt; empty for a
// token behind all of them, which is the template's own, and where it can't be told. It renders the conversation a few times.
func Locate(ctx context.Context, tokens Tokens, o *Outline, c prompt.Conversation, token int) string {
	l := &locator{ctx: ctx, tokens: tokens, c: c, schema: o.schema}
	elements := slices.Concat(o.tools, o.system, o.turns)
	if n := len(o.tools); n > 0 && len(o.system) > 0 && l.end(o.tools[n-1]) > l.end(o.system[0]) {
		elements = slices.Concat(o.system, o.tools, o.turns)
	}
	found := -1 // the first element known to end at the token or behind it
	for from, to := 0, len(elements); from < to; {
		middle := from + (to-from)/2
		seen, end := l.firstSeen(elements[middle:to])
		switch seen += middle; {
		case end < 0:
			to = middle
		case end >= token:
			found, to = seen, middle
		default:
			from = seen + 1
		}
	}
	if found < 0 {
		return ""
	}
	return bracketed(elements[found].place)
}

// locator finds where elements end.
type locator struct {
	ctx    context.Context //nolint:containedctx // it lives as long as one call
	tokens Tokens
	c      prompt.Conversation
	schema string
}

// firstSeen is the first of some elements that the model sees, and where it ends; -1 if it sees none.
func (l *locator) firstSeen(elements []element) (seen, end int) {
	for i, e := range elements {
		if end := l.end(e); end >= 0 {
			return i, end
		}
	}
	return 0, -1
}

// end is the first token that changes when something is added to an element, -1 if none does.
func (l *locator) end(e element) int {
	d := &difference{change: Added, now: &e, near: &e}
	base, altered := l.c, l.c
	if e.kind == Tools {
		altered.Tools = d.alteredTools(l.c.Tools, l.schema)
	} else {
		base, altered = withPart(l.c, e.part, d.alter)
	}
	before, err := l.tokens(l.ctx, base)
	if err != nil {
		return -1
	}
	after, err := l.tokens(l.ctx, altered)
	if err != nil {
		return -1
	}
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			return i
		}
	}
	if len(before) == len(after) {
		return -1
	}
	return min(len(before), len(after))
}
