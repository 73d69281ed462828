package divergence

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/prompt"
)

// Change says what became of a part.
type Change string

// The changes.
const (
	Changed Change = "changed"
	Moved   Change = "moved"
	Removed Change = "removed"
	Added   Change = "added"
)

// Finding names the first part of a prompt that is not what it was.
type Finding struct {
	Path   string // in the caller's JSON: of this request, or for what was removed of the one before
	Change Change
	Kind   Kind
}

// Renderer renders conversations.
type Renderer interface {
	// Diverge returns the first byte in which two conversations' prompts differ, or -1.
	Diverge(ctx context.Context, a, b prompt.Conversation) (int, error)
}

// mostTries is how many parts of a section are looked at until one is found that the model sees.
const mostTries = 8

// Between tells where a conversation, whose outline is now, first differs from what was asked before. Nil: nowhere that the
// model would see, or it is another conversation.
func Between(ctx context.Context, r Renderer, before, now *Outline, c prompt.Conversation) *Finding {
	var first *Finding
	earliest := -1
	for _, s := range sections(before, now) {
		found, at := s.find(ctx, r, now.schema, c)
		if found != nil && (first == nil || at < earliest) {
			first, earliest = found, at
		}
	}
	return first
}

// section is a run of elements that are compared in their order.
type section struct {
	before, now []element
	grows       bool // what is added at its end, or missing there, is no divergence
}

func sections(before, now *Outline) []section {
	all := []section{{before.tools, now.tools, false}, {before.system, now.system, false}}
	if now.answers && shareAny(before.turns, now.turns) {
		all = append(all, section{before.turns, now.turns, true})
	}
	return all
}

// shareAny tells whether two lists have an element in common: else they are two conversations.
func shareAny(a, b []element) bool {
	return slices.ContainsFunc(b, func(e element) bool { return indexOf(a, e) >= 0 })
}

func indexOf(list []element, wanted element) int {
	return slices.IndexFunc(list, func(e element) bool { return e.content == wanted.content })
}

func same(before, now element) bool {
	return now.known || before.content == now.content && before.id == now.id
}

// find returns the section's first divergence that the model sees, and the byte of the prompt near which it lies.
func (s section) find(ctx context.Context, r Renderer, schema string, c prompt.Conversation) (*Finding, int) {
	before, now := 0, 0
	for range mostTries {
		for before < len(s.before) && now < len(s.now) && same(s.before[before], s.now[now]) {
			before, now = before+1, now+1
		}
		d := s.differenceAt(before, now)
		if d == nil {
			return nil, 0
		}
		at, isSeen := d.place(ctx, r, schema, c)
		if isSeen {
			return d.finding(schema), at
		}
		if d.change != Added {
			before++
		}
		if d.change != Removed {
			now++
		}
	}
	return nil, 0
}

// difference is that of one element.
type difference struct {
	change      Change
	before, now *element // nil: there is none
	near        *element // of the conversation, for where it lies
}

// differenceAt is the difference of the elements at which the lists stand, or nil at the end of what can differ.
func (s section) differenceAt(before, now int) *difference {
	hasBefore, hasNow := before < len(s.before), now < len(s.now)
	switch {
	case !hasBefore && !hasNow || s.grows && (!hasBefore || !hasNow):
		return nil
	case !hasNow:
		return &difference{change: Removed, before: &s.before[before], near: last(s.now)}
	case !hasBefore:
		return &difference{change: Added, now: &s.now[now], near: &s.now[now]}
	}
	d := &difference{change: Changed, before: &s.before[before], now: &s.now[now], near: &s.now[now]}
	isKept := indexOf(s.now[now:], *d.before) > 0      // what stood here stands further behind now
	wasThere := indexOf(s.before[before:], *d.now) > 0 // what stands here stood further behind
	switch {
	case d.isSameTool():
	case isKept && wasThere:
		d.change = Moved
	case isKept:
		d.change = Added
	case wasThere:
		d.change = Removed
	}
	return d
}

func last(elements []element) *element {
	if len(elements) == 0 {
		return nil
	}
	return &elements[len(elements)-1]
}

func (d *difference) isSameTool() bool {
	return d.now.kind == Tools && d.before.fields[toolName] == d.now.fields[toolName]
}

// finding is the difference as it is told.
func (d *difference) finding(schema string) *Finding {
	e := d.now
	if d.change == Removed {
		e = d.before
	}
	f := &Finding{Path: bracketed(e.place), Change: d.change, Kind: e.kind}
	if d.change == Changed && e.kind == Tools {
		f.Path += d.toolField(schema)
	}
	return f
}

// nameField is where a tool's name stands.
const nameField = ".name"

// toolField is the place of a changed tool's first field that changed, beneath the tool.
func (d *difference) toolField(schema string) string {
	above := schema[:max(0, strings.LastIndexByte(schema, '.'))]
	switch {
	case d.before.fields[toolName] != d.now.fields[toolName]:
		return above + nameField
	case d.before.fields[toolDescription] != d.now.fields[toolDescription]:
		return above + ".description"
	}
	return schema
}

var indexes = regexp.MustCompile(`\.(\d+)`)

// bracketed writes the indexes of a place as JSON paths have them.
func bracketed(place string) string { return indexes.ReplaceAllString(place, "[$1]") }
