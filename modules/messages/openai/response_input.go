package openai

import (
	"encoding/json"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// inputItem is an item of a request's input, as it is sent: what somebody said, a call, or what a tool answered.
type inputItem struct {
	Type      string          `json:"type"`
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	CallID    string          `json:"call_id"`
	Name      string          `json:"name"`
	Arguments string          `json:"arguments"`
	Input     *string         `json:"input"`
	Output    json.RawMessage `json:"output"`
}

// inputPart is a part of what was said.
type inputPart struct {
	Type    string  `json:"type"`
	Text    *string `json:"text"`
	Refusal *string `json:"refusal"`
}

// turns checks and collects the conversation: the instructions, and the input behind them.
func (b *responseBody) turns() (turns []prompt.Turn, err error) {
	if b.Instructions != nil && *b.Instructions != "" {
		turns = append(turns, prompt.Turn{Role: prompt.System, Parts: []prompt.Part{{Kind: prompt.Text, Place: "instructions", Text: *b.Instructions}}})
	}
	if messages.IsAbsent(b.Input) {
		return nil, invalid("input: field required")
	}
	if b.Input[0] == '"' {
		var text string
		if err := messages.Fill("input", b.Input, &text); err != nil {
			return nil, err
		}
		if text == "" {
			return nil, invalid("input: must not be empty")
		}
		return append(turns, prompt.Turn{Role: prompt.User, Parts: []prompt.Part{{Kind: prompt.Text, Place: "input", Text: text}}}), nil
	}
	var items []json.RawMessage
	if err := messages.Fill("input", b.Input, &items); err != nil {
		return nil, err
	}
	if n := len(items); n == 0 || n > mostMessages {
		return nil, invalid("input: at least one item is required, and at most %d; there are %d", mostMessages, n)
	}
	return readItems(turns, items)
}

// answerPlace is where the answer will stand in the input, if it is a list.
func (b *responseBody) answerPlace() string {
	var items []json.RawMessage
	if json.Unmarshal(b.Input, &items) != nil {
		return "input"
	}
	return messages.At("input", len(items))
}

// readItems adds the turns of the items. What the assistant said, thought and called without anybody in between is one turn.
func readItems(turns []prompt.Turn, items []json.RawMessage) ([]prompt.Turn, error) {
	calls, said := map[string]bool{}, len(turns)
	for i, raw := range items {
		place := messages.At("input", i)
		var item inputItem
		if err := messages.Fill(place, raw, &item); err != nil {
			return nil, err
		}
		turn, err := item.turn(place, calls)
		switch last := len(turns) - 1; {
		case err != nil:
			return nil, err
		case len(turn.Parts) == 0:
		case last >= 0 && turn.Role == prompt.Assistant && turns[last].Role == prompt.Assistant:
			turns[last].Parts = append(turns[last].Parts, turn.Parts...)
		default:
			turns = append(turns, turn)
		}
	}
	if len(turns) == said {
		return nil, invalid("input: all of its items are empty")
	}
	return turns, nil
}

// turn reads an item. calls are those before it.
func (i *inputItem) turn(place string, calls map[string]bool) (turn prompt.Turn, err error) {
	switch i.Type {
	case "message", "":
		return i.said(place)
	case "reasoning":
		turn.Role = prompt.Assistant
		if !messages.IsAbsent(i.Content) {
			if turn.Parts, err = readParts(place+".content", i.Content); err == nil {
				for n := range turn.Parts {
					turn.Parts[n].Kind = prompt.Thinking
				}
			}
		}
		return turn, err
	case "function_call", "custom_tool_call":
		part, err := i.call(place)
		if err == nil && calls[part.ID] {
			err = invalid("%s.call_id: another call has the same id", place)
		}
		calls[part.ID] = true
		return prompt.Turn{Role: prompt.Assistant, Parts: []prompt.Part{part}}, err
	case "function_call_output", "custom_tool_call_output":
		return i.answered(place, calls)
	case "item_reference":
		return turn, invalid("%s: this server stores no items; send the item itself", place)
	}
	return turn, invalid("%s.type: items of this type are not supported here; send messages, calls of functions and what they answered", place)
}

func (i *inputItem) said(place string) (turn prompt.Turn, err error) {
	switch i.Role {
	case "system", "developer":
		turn.Role = prompt.System
	case "user":
		turn.Role = prompt.User
	case "assistant":
		turn.Role = prompt.Assistant
	default:
		return turn, invalid("%s.role: must be \"system\", \"developer\", \"user\" or \"assistant\"", place)
	}
	if messages.IsAbsent(i.Content) {
		return turn, invalid("%s.content: field required", place)
	}
	turn.Parts, err = readParts(place+".content", i.Content)
	return turn, err
}

// call is the call of a tool; that of a custom one has its input as the only argument.
func (i *inputItem) call(place string) (prompt.Part, error) {
	arguments := i.Arguments
	if i.Type == "custom_tool_call" {
		if i.Input == nil {
			return prompt.Part{}, invalid("%s.input: field required", place)
		}
		arguments = customArguments(*i.Input)
	}
	call := callBody{ID: i.CallID}
	call.Function.Name, call.Function.Arguments = i.Name, arguments
	part, err := call.part(place)
	if err != nil {
		text := strings.NewReplacer(".function.", ".", place+".id:", place+".call_id:").Replace(err.Error())
		return part, invalid("%s", text)
	}
	return part, nil
}

// answered is what a tool answered.
func (i *inputItem) answered(place string, calls map[string]bool) (turn prompt.Turn, err error) {
	switch {
	case i.CallID == "":
		return turn, invalid("%s.call_id: field required", place)
	case !calls[i.CallID]:
		return turn, invalid("%s.call_id: no call before it has this id", place)
	}
	part := prompt.Part{Kind: prompt.ToolResult, Place: place + ".output", ID: i.CallID}
	if !messages.IsAbsent(i.Output) {
		said, err := readParts(place+".output", i.Output)
		if err != nil {
			return turn, err
		}
		part.Text = inLines(said)
	}
	return prompt.Turn{Role: prompt.User, Parts: []prompt.Part{part}}, nil
}

// readParts reads content in the parts of responses.
func readParts(place string, raw json.RawMessage) ([]prompt.Part, error) {
	return textsOf(place, raw, func(at string, raw json.RawMessage) (string, error) {
		var part inputPart
		if err := messages.Fill(at, raw, &part); err != nil {
			return "", err
		}
		return part.text(at)
	})
}

func (p *inputPart) text(place string) (string, error) {
	said := p.Text
	switch p.Type {
	case "input_text", "output_text", "text", "reasoning_text", "summary_text":
	case "refusal":
		said = p.Refusal
	case "input_image":
		return "", invalid("%s: this model has no vision; send text only", place)
	case "input_file", "input_audio":
		return "", invalid("%s: this model reads text only; send the text of it", place)
	default:
		return "", invalid("%s.type: this part is not supported here; send input_text or output_text", place)
	}
	if said == nil {
		return "", invalid("%s.text: field required", place)
	}
	return *said, nil
}
