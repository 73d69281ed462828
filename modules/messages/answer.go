package messages

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
	"go.opentelemetry.io/otel/trace"
)

// SilenceAtMost is how long a stream may be silent before its client must see that it lives.
const SilenceAtMost = 10 * time.Second

// ErrSilence says that there was nothing to send for SilenceAtMost. The answer goes on.
var ErrSilence = errors.New("nothing to send yet")

// openingPatience is how long a stream waits for its slot before its first event, which tells what of the prompt is
// cached.
const openingPatience = time.Second

// Block is a piece of an answer.
type Block struct {
	Kind     prompt.Kind
	Text     string // with ToolUse: the arguments, a JSON object
	ID, Name string // with ToolUse: of the call, and of its tool
	// Signature shows that a thought is the model's own. It comes with the block's end.
	Signature string
}

// EventKind tells what happens to an answer's block.
type EventKind int

// What happens to a block, in this order. Blocks follow each other.
const (
	BlockStart EventKind = iota // the event has the block but for its text
	BlockDelta                  // its text grows by the event's
	BlockStop
)

// Event is a step in the growth of an answer.
type Event struct {
	Kind  EventKind
	Index int // of the block, from 0
	Block Block
}

// Result is what a finished answer leaves beside its blocks.
type Result struct {
	Reason     engine.StopReason
	StopString string // that ended it, with engine.StopString
	Calls      int    // of tools
	Usage      engine.Usage
}

// Answer is an answer as it grows. One goroutine may read it.
type Answer struct {
	stream *engine.Stream
	span   trace.Span                        // of the request
	parser *toolcall.Parser                  // nil: it has no calls
	single bool                              // it shows one call at most, and nothing behind it
	hidden bool                              // it has more than it shows
	prefix string                            // of the ids of calls
	whole  func(text string, blocks []Block) // takes an answer that has calls, at its end
	closed func()                            // runs when nobody wants it any more; may be nil

	finished func(blocks []Block) // takes an answer that came to its end

	spelling    prefix.Spelling // nil: the texts of tokens are not known
	thoughts    *thoughtReader
	thinksAloud bool                // thoughts are shown
	sign        func(string) string // returns a thought's signature
	received    int                 // bytes of text
	lead        int                 // of them those before what is said
	text        strings.Builder     // as it was sampled, with a parser

	open   bool    // the last block is not complete
	blocks []Block // without their texts' end, while open
	last   strings.Builder
	calls  int
	events []Event // to be returned next
	err    error   // to be returned after them
}

// Opening waits for what is known of the usage when the answer gets its slot, but not for long: a request in a queue
// has nothing cached yet. The result tells the truth in any case.
func (a *Answer) Opening(ctx context.Context) engine.Usage {
	patience, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	known := a.stream.Begun(patience)
	known.Generated = 0
	return known
}

// Next waits for the next event. It returns io.EOF after the last event of a finished answer, ErrSilence if there is
// nothing to send for a while, the reason if the answer failed, and the context's error if ctx ends first.
func (a *Answer) Next(ctx context.Context) (Event, error) {
	patience, cancel := context.WithTimeoutCause(ctx, SilenceAtMost, ErrSilence)
	defer cancel()
	for len(a.events) == 0 {
		if a.err != nil {
			return Event{}, a.err
		}
		text, err := a.stream.Next(patience)
		if errors.Is(err, ErrSilence) {
			return Event{}, err
		}
		a.grow(text)
		if a.err = err; err != nil {
			a.end(errors.Is(err, io.EOF))
		}
	}
	event := a.events[0]
	a.events = a.events[1:]
	return event, nil
}

// grow adds what the model wrote.
func (a *Answer) grow(text string) {
	if a.parser != nil {
		a.text.WriteString(text)
	}
	a.received += len(text)
	thought, said := a.thoughts.push(text)
	a.think(thought)
	a.speak(said)
}

// think adds to what the model thinks.
func (a *Answer) think(thought string) {
	if thought == "" || !a.thinksAloud {
		return
	}
	if !a.open {
		a.begin(Block{Kind: prompt.Thinking})
	}
	a.extend(thought)
}

// speak adds to what the model says.
func (a *Answer) speak(said string) {
	if said == "" {
		return
	}
	if a.open && a.blocks[len(a.blocks)-1].Kind == prompt.Thinking {
		a.close()
	}
	if a.parser == nil {
		a.say(said)
		return
	}
	if a.lead < 0 {
		a.lead = a.received - len(said)
	}
	a.add(a.parser.Push(said))
}

// end completes the answer. One that has calls and came to its end can be recognised when it comes back.
func (a *Answer) end(whole bool) {
	thought, said := a.thoughts.end()
	a.think(thought)
	a.speak(said)
	if a.parser != nil {
		a.add(a.parser.End())
	}
	a.close()
	if whole {
		a.finished(a.blocks)
	}
	if whole && a.calls > 0 && !a.hidden {
		a.whole(a.text.String(), a.blocks)
	}
}

func (a *Answer) add(pieces []toolcall.Piece) {
	for _, piece := range pieces {
		switch {
		case a.single && a.calls > 0:
			a.hidden = true
		case piece.Call == nil:
			a.say(piece.Text)
		default:
			a.call(*piece.Call, a.text.String()[:max(0, a.lead)+piece.End])
		}
	}
}

// say adds text to the answer's block, which it begins if there is none.
func (a *Answer) say(text string) {
	if text == "" {
		return
	}
	if !a.open {
		a.begin(Block{Kind: prompt.Text})
	}
	a.extend(text)
}

// call adds a call, which is a block of its own. The text is that of the answer up to its end.
func (a *Answer) call(c toolcall.Call, text string) {
	a.close()
	a.calls++
	a.begin(Block{Kind: prompt.ToolUse, ID: a.prefix + newCallID(text), Name: c.Name})
	a.extend(string(c.Arguments))
	a.close()
}

func (a *Answer) begin(b Block) {
	a.open = true
	a.blocks = append(a.blocks, b)
	a.events = append(a.events, Event{BlockStart, len(a.blocks) - 1, b})
}

func (a *Answer) extend(text string) {
	a.last.WriteString(text)
	at := len(a.blocks) - 1
	a.events = append(a.events, Event{BlockDelta, at, Block{Kind: a.blocks[at].Kind, Text: text}})
}

// close completes the block that is open.
func (a *Answer) close() {
	if !a.open {
		return
	}
	at := len(a.blocks) - 1
	a.open, a.blocks[at].Text = false, a.last.String()
	a.last.Reset()
	if a.blocks[at].Kind == prompt.Thinking {
		a.blocks[at].Signature = a.sign(a.blocks[at].Text)
	}
	end := Block{Kind: a.blocks[at].Kind, Signature: a.blocks[at].Signature}
	a.events = append(a.events, Event{Kind: BlockStop, Index: at, Block: end})
}

// Blocks waits for the whole answer.
func (a *Answer) Blocks(ctx context.Context) ([]Block, error) {
	for {
		switch _, err := a.Next(ctx); {
		case errors.Is(err, io.EOF):
			return a.blocks, nil
		case err != nil && !errors.Is(err, ErrSilence):
			return nil, err
		}
	}
}

// Result is what the answer leaves, once Next has returned io.EOF.
func (a *Answer) Result() Result {
	result := a.stream.Result()
	return Result{result.StopReason, result.StopString, a.calls, result.Usage}
}

// Told returns how likely the tokens were that came since it was called last, if the request asks for that.
func (a *Answer) Told() []engine.Told { return a.stream.Told() }

// TokenText is the text of a token of the answer; part of a character, perhaps, and none of a token that stands for no text.
func (a *Answer) TokenText(token int32) string {
	if a.spelling == nil {
		return ""
	}
	text, _ := a.spelling.Text(token)
	return text
}

// Close tells the engine that nobody wants the rest. It may be called more than once.
func (a *Answer) Close() {
	a.stream.Close()
	a.tellStages()
	if a.closed != nil {
		a.closed()
	}
}
