package prompt

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

var errGone = errors.New("the client is gone")

// leaving is a context that ends at one of the questions whether it has ended.
type leaving struct {
	context.Context //nolint:containedctx // it is one
	cancel          context.CancelCauseFunc
	questions, end  int
}

func (l *leaving) Err() error {
	if l.questions++; l.questions == l.end {
		l.cancel(errGone)
	}
	return l.Context.Err()
}

// A rendering ends with its client, at whatever moment the client leaves.
func TestRenderingEndsWithItsClient(t *testing.T) {
	p := spelled(t)
	var c Conversation
	for range 500 {
		c.Turns = append(c.Turns, says(User, "Why?"), says(Assistant, "Because."))
	}
	c.Turns = append(c.Turns, says(User, "Why?"))
	for end := 1; ; end++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := &leaving{Context: ctx, cancel: cancel, end: end}
		_, err := p.Render(w, c)
		cancel(nil)
		if w.questions < end {
			if end < 10 {
				t.Errorf("only %d questions whether the client is still there", w.questions)
			}
			return
		}
		if !errors.Is(err, errGone) {
			t.Fatalf("left at question %d: %v", end, err)
		}
		if w.questions > end+3 { // the marks are tried in two ways, and the text would be encoded
			t.Fatalf("left at question %d, and %d were asked", end, w.questions)
		}
	}
}

// Texts that can't fit are refused before they are rendered; texts that the template may drop don't count.
func TestConversationsAreRefusedByTheirSize(t *testing.T) {
	p := spelled(t) // its widest token has 15 bytes
	const most = 100
	long := strings.Repeat("a", 16*(most+1))
	for name, turn := range map[string]Turn{
		"user":      says(User, long),
		"assistant": says(Assistant, long),
		"answer":    says(Assistant, "thought</think>"+long),
		"result":    {Role: User, Parts: []Part{{Kind: ToolResult, Text: long}}},
		"parts":     {Role: User, Parts: []Part{{Kind: Text, Text: long[:len(long)/2]}, {Kind: Text, Text: long[len(long)/2:]}}},
	} {
		var tooLong *engine.TooLongError
		if err := p.refuseBySize(Conversation{Turns: []Turn{turn}, Most: most}); !errors.As(err, &tooLong) || tooLong.Prompt <= most || !tooLong.Least {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.refuseBySize(Conversation{Turns: []Turn{turn}}); err != nil {
			t.Errorf("%s without a bound: %v", name, err)
		}
	}
	var turns Conversation
	for turns.Most = most; len(turns.Turns) < most+1; {
		turns.Turns = append(turns.Turns, says(User, "a"), says(Assistant, "b"))
	}
	if err := p.refuseBySize(turns); err == nil {
		t.Error("more turns than tokens are not refused")
	}
	turns.Turns = turns.Turns[:most+1]
	if err := p.refuseBySize(turns); err != nil {
		t.Errorf("as many turns as tokens: %v", err)
	}
	for name, turn := range map[string]Turn{
		"short":    says(User, long[:15*most]),
		"thinking": {Role: Assistant, Parts: []Part{{Kind: Thinking, Text: long}}},
		"thought":  says(Assistant, "<think>"+long+"</think>yes"),
	} {
		if err := p.refuseBySize(Conversation{Turns: []Turn{turn}, Most: most}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
