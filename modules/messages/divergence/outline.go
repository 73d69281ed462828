// Package divergence tells why a conversation that was read before is computed again: which part of the caller's own JSON is
// the first that is not what it was when the conversation was last asked about, and what became of it. It keeps hashes of
// parts, never their texts.
package divergence

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/prompt"
)

// Kind says what of a prompt diverged. It is a label of a metric.
type Kind string

// The kinds.
const (
	System   Kind = "system"
	Tools    Kind = "tools"
	Message  Kind = "message"
	Thinking Kind = "thinking"
)

// Kinds are all kinds.
func Kinds() []Kind { return []Kind{System, Tools, Message, Thinking} }

// seed keys the hashes of this process.
var seed = maphash.MakeSeed() //nolint:gochecknoglobals // hashes of one process are compared with each other

// element is a part of a conversation as it is compared.
type element struct {
	place   string // in the caller's JSON
	kind    Kind
	content uint64 // hash of what it says
	trimmed uint64 // the same without the space around it
	id      uint64 // hash of the id of a call
	fields  [3]uint64
	known   bool // it is what was sampled, however its JSON is written now
	part    partOf
}

// partOf says where in a conversation an element comes from.
type partOf struct{ turn, part int }

// The fields of a tool, in the order in which they are compared.
const (
	toolName = iota
	toolDescription
	toolSchema
)

// Outline is what a conversation consists of, in the order of its parts.
type Outline struct {
	tools, system, turns []element
	schema               string // the place of a tool's schema beneath the tool's
	answers              bool   // the assistant has spoken
}

// Of returns the outline of a conversation. schema is the place of a tool's schema beneath the tool's own, such as
// ".input_schema".
func Of(c prompt.Conversation, schema string) *Outline {
	o := &Outline{schema: schema}
	for _, tool := range c.Tools {
		o.tools = append(o.tools, ofTool(tool))
	}
	leads := true
	for i, turn := range c.Turns {
		leads = leads && turn.Role == prompt.System
		o.answers = o.answers || turn.Role == prompt.Assistant
		for _, e := range ofTurn(i, turn) {
			if leads {
				e.kind = System
				o.system = append(o.system, e)
				continue
			}
			o.turns = append(o.turns, e)
		}
	}
	return o
}

// Answered returns the outline with the answer's parts behind the conversation's.
func (o *Outline) Answered(answer []prompt.Part) *Outline {
	grown := *o
	turn := prompt.Turn{Role: prompt.Assistant, Parts: answer}
	grown.turns = append(slices.Clone(o.turns), ofTurn(-1, turn)...)
	grown.answers = true
	return &grown
}

// Len is the number of elements.
func (o *Outline) Len() int { return len(o.tools) + len(o.system) + len(o.turns) }

func ofTool(tool prompt.Tool) element {
	e := element{place: tool.Place, kind: Tools}
	e.fields[toolName], e.fields[toolDescription] = sum(tool.Name), sum(tool.Description)
	e.fields[toolSchema] = sum(compact(tool.InputSchema))
	e.content = maphash.Comparable(seed, e.fields)
	e.trimmed = e.content
	return e
}

// ofTurn are the elements of a turn. Texts of the assistant that follow each other are one: clients cut them.
func ofTurn(at int, turn prompt.Turn) (elements []element) {
	var text strings.Builder
	for i := 0; i < len(turn.Parts); i++ {
		part, first := turn.Parts[i], i
		said := part.Text
		if joins := turn.Role == prompt.Assistant && part.Kind == prompt.Text; joins {
			text.Reset()
			for ; i < len(turn.Parts) && turn.Parts[i].Kind == prompt.Text; i++ {
				text.WriteString(turn.Parts[i].Text)
			}
			i--
			said = text.String()
		}
		e := element{place: part.Place, kind: kindOf(part), part: partOf{at, first}, known: turn.Sampled != ""}
		e.content, e.trimmed = saying(turn.Role, part, said), saying(turn.Role, part, strings.TrimSpace(said))
		e.id = sum(part.ID)
		elements = append(elements, e)
	}
	return elements
}

func kindOf(part prompt.Part) Kind {
	if part.Kind == prompt.Thinking {
		return Thinking
	}
	return Message
}

// saying is the hash of a part that says a text.
func saying(role prompt.Role, part prompt.Part, text string) uint64 {
	return maphash.Comparable(seed, struct {
		role    prompt.Role
		kind    prompt.Kind
		text    uint64
		name    string
		input   uint64
		isError bool
	}{role, part.Kind, sum(text), part.Name, sum(compact(part.Input)), part.IsError})
}

func sum(text string) uint64 { return maphash.String(seed, text) }

// compact is JSON without the space between its values.
func compact(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return string(raw)
	}
	return out.String()
}
