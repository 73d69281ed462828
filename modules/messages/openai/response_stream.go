package openai

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// The events of a stream. Each has its type, and its place in the stream.
type (
	stateEvent struct {
		Type     string   `json:"type" enum:"response.created,response.in_progress,response.completed,response.incomplete,response.failed"`
		Sequence int      `json:"sequence_number" minimum:"0"`
		Response response `json:"response"`
	}
	itemEvent struct {
		Type     string     `json:"type" enum:"response.output_item.added,response.output_item.done"`
		Sequence int        `json:"sequence_number" minimum:"0"`
		Index    int        `json:"output_index" minimum:"0"`
		Item     outputItem `json:"item"`
	}
	partEvent struct {
		Type     string     `json:"type" enum:"response.content_part.added,response.content_part.done"`
		Sequence int        `json:"sequence_number" minimum:"0"`
		ItemID   string     `json:"item_id"`
		Index    int        `json:"output_index" minimum:"0"`
		Content  int        `json:"content_index" minimum:"0"`
		Part     outputText `json:"part"`
	}
	textEvent struct {
		Type     string  `json:"type" enum:"response.output_text.delta,response.output_text.done,response.reasoning_text.delta,response.reasoning_text.done"`
		Sequence int     `json:"sequence_number" minimum:"0"`
		ItemID   string  `json:"item_id"`
		Index    int     `json:"output_index" minimum:"0"`
		Content  int     `json:"content_index" minimum:"0"`
		Delta    *string `json:"delta,omitempty" doc:"What the text grows by"`
		Text     *string `json:"text,omitempty" doc:"The whole text, when it is done"`
	}
	callEvent struct {
		Type      string  `json:"type" enum:"response.function_call_arguments.delta,response.function_call_arguments.done,response.custom_tool_call_input.delta,response.custom_tool_call_input.done"`
		Sequence  int     `json:"sequence_number" minimum:"0"`
		ItemID    string  `json:"item_id"`
		Index     int     `json:"output_index" minimum:"0"`
		Delta     *string `json:"delta,omitempty"`
		Name      *string `json:"name,omitempty" doc:"Of the function, when its arguments are done"`
		Arguments *string `json:"arguments,omitempty" doc:"The whole of a function's arguments, when they are done"`
		Input     *string `json:"input,omitempty" doc:"The whole of a custom tool's input, when it is done"`
	}
)

// responseStream writes the events of a response.
type responseStream struct {
	*pieces
	sequence int
	open     messages.Block // the item that is under way, as far as it is known
}

// emit sends an event. make is given its number.
func (s *responseStream) emit(kind string, make func(number int) any) {
	data, err := json.Marshal(make(s.sequence))
	if err != nil {
		s.err = err
		return
	}
	s.sequence++
	s.write("event: " + kind + "\ndata: " + string(data) + "\n\n")
}

func (s *responseStream) state(kind string, r response) {
	s.emit(kind, func(n int) any { return stateEvent{kind, n, r} })
}

func (s *responseStream) item(kind string, index int, item outputItem) {
	s.emit(kind, func(n int) any { return itemEvent{kind, n, index, item} })
}

// streamResponse answers with events as the response grows.
func (a *API) streamResponse(w http.ResponseWriter, r *http.Request, c *responding) {
	out := &responseStream{pieces: beginStream(w)}
	out.state("response.created", c.begun())
	out.state("response.in_progress", c.begun())
	for out.err == nil {
		event, err := c.Next(r.Context())
		switch {
		case errors.Is(err, messages.ErrSilence):
			out.beat()
		case errors.Is(err, io.EOF):
			whole := c.whole()
			out.state("response."+whole.Status, whole)
			return
		case err != nil:
			a.failResponse(r, c, out, err)
			return
		default:
			out.follow(c, event)
		}
	}
}

// failResponse ends a stream with a response that has failed.
func (a *API) failResponse(r *http.Request, c *responding, out *responseStream, err error) {
	failure := messages.FailureOf(messages.CutBy(r.Context(), err))
	if r.Context().Err() == nil || failure.Kind == messages.KeyEnded {
		a.cfg.Log.WarnContext(r.Context(), "stream_broken", "error", err)
	}
	detail := errorOf(failure).Error
	last := c.begun()
	last.Status, last.Output, last.Error = failed, append(last.Output, c.items...), &responseError{detail.Type, detail.Message}
	if detail.Code != nil {
		last.Error.Code = *detail.Code
	}
	out.state("response.failed", last)
}

// follow tells of a step in the growth of the answer.
func (s *responseStream) follow(c *responding, event messages.Event) {
	switch event.Kind {
	case messages.BlockStart:
		s.open = event.Block
		s.item("response.output_item.added", event.Index, c.beginning(event.Index, event.Block))
		if event.Block.Kind == prompt.Text {
			s.part("response.content_part.added", c, event.Index, "")
		}
	case messages.BlockDelta:
		s.open.Text += event.Block.Text
		s.delta(c, event.Index, event.Block)
	case messages.BlockStop:
		s.close(c, event.Index)
	}
}

// beginning is an item that has just begun.
func (c *responding) beginning(index int, block messages.Block) outputItem {
	switch item := c.item(index, block, inProgress).is.(type) {
	case reasoningItem:
		item.Content = []reasoningText{}
		return outputItem{item}
	case messageItem:
		item.Content = []outputText{}
		return outputItem{item}
	case functionCallItem:
		item.Arguments, item.Status = "", inProgress
		return outputItem{item}
	case customCallItem:
		item.Input, item.Status = "", inProgress
		return outputItem{item}
	default:
		return outputItem{item}
	}
}

func (s *responseStream) part(kind string, c *responding, index int, text string) {
	s.emit(kind, func(n int) any { return partEvent{kind, n, "msg" + itemID(c.id, index), index, 0, textOf(text)} })
}

// delta tells what an item grows by. A custom tool's input comes whole, since the model writes it within JSON.
func (s *responseStream) delta(c *responding, index int, block messages.Block) {
	id := itemID(c.id, index)
	switch {
	case block.Kind == prompt.Thinking:
		const kind = "response.reasoning_text.delta"
		s.emit(kind, func(n int) any {
			return textEvent{Type: kind, Sequence: n, ItemID: "rs" + id, Index: index, Delta: &block.Text}
		})
	case block.Kind != prompt.ToolUse:
		const kind = "response.output_text.delta"
		s.emit(kind, func(n int) any {
			return textEvent{Type: kind, Sequence: n, ItemID: "msg" + id, Index: index, Delta: &block.Text}
		})
	case !c.custom[s.open.Name]:
		const kind = "response.function_call_arguments.delta"
		s.emit(kind, func(n int) any {
			return callEvent{Type: kind, Sequence: n, ItemID: "fc" + id, Index: index, Delta: &block.Text}
		})
	}
}

// close completes the item that is under way.
func (s *responseStream) close(c *responding, index int) {
	id, block := itemID(c.id, index), s.open
	item := c.item(index, block, completed)
	switch done := item.is.(type) {
	case reasoningItem:
		const kind = "response.reasoning_text.done"
		s.emit(kind, func(n int) any {
			return textEvent{Type: kind, Sequence: n, ItemID: "rs" + id, Index: index, Text: &block.Text}
		})
	case messageItem:
		const kind = "response.output_text.done"
		s.emit(kind, func(n int) any {
			return textEvent{Type: kind, Sequence: n, ItemID: "msg" + id, Index: index, Text: &block.Text}
		})
		s.part("response.content_part.done", c, index, block.Text)
	case functionCallItem:
		const kind = "response.function_call_arguments.done"
		s.emit(kind, func(n int) any {
			return callEvent{Type: kind, Sequence: n, ItemID: "fc" + id, Index: index, Name: &done.Name, Arguments: &done.Arguments}
		})
	case customCallItem:
		const grows, kind = "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"
		s.emit(grows, func(n int) any {
			return callEvent{Type: grows, Sequence: n, ItemID: "ctc" + id, Index: index, Delta: &done.Input}
		})
		s.emit(kind, func(n int) any {
			return callEvent{Type: kind, Sequence: n, ItemID: "ctc" + id, Index: index, Input: &done.Input}
		})
	}
	c.items = append(c.items, item)
	s.item("response.output_item.done", index, item)
}
