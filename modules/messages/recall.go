package messages

import (
	"container/list"
	"encoding/json"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/mlx/toolcall"
)

// recallBytes is the most bytes of texts that are remembered.
const recallBytes = 32 << 20

// recall remembers how the model wrote the answers that have calls. A client sends them back as blocks, perhaps with the
// keys of its JSON in another order; the text that was sampled then stands for the turn, so that it is read and not
// computed. What is forgotten is written by the template, and only slower.
type recall struct {
	mu      sync.Mutex
	turns   map[turnKey]*list.Element // of *spoken
	recent  *list.List                // the one used last in front
	bytes   int
	running map[*asker]bool // whose answers are under way
}

// asker is whose answer it is. One that is deleted meanwhile has nothing kept.
type asker struct {
	tenant, agent string
	deleted       bool
}

// turnKey names an answer: by whom it was asked for, and the id of its first call.
type turnKey struct{ tenant, call string }

// spoken is an answer with calls.
type spoken struct {
	key    turnKey
	agent  string  // whose answer it is, or ""
	text   string  // as it was sampled
	blocks []Block // that were read from it
}

func newRecall() *recall {
	return &recall{turns: map[turnKey]*list.Element{}, recent: list.New(), running: map[*asker]bool{}}
}

// begin notes whose answer is under way, until end.
func (r *recall) begin(tenant, agent string) *asker {
	a := &asker{tenant: tenant, agent: agent}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[a] = true
	return a
}

func (r *recall) end(a *asker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, a)
}

// keep remembers an answer, and forgets those that were not used for longest.
func (r *recall) keep(a *asker, text string, blocks []Block) {
	s := &spoken{turnKey{a.tenant, firstCall(blocks)}, a.agent, text, blocks}
	if s.key.call == "" || s.size() > recallBytes {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.deleted {
		return
	}
	r.turns[s.key] = r.recent.PushFront(s)
	r.bytes += s.size()
	for r.bytes > recallBytes {
		r.drop(r.recent.Back())
	}
}

// forget drops what an agent was answered, and what it is being answered.
func (r *recall) forget(tenant, agent string) {
	r.forgetAll(func(t, a string) bool { return t == tenant && a == agent })
}

// forgetAll is forget for all whose tenant and agent are among those.
func (r *recall) forgetAll(among func(tenant, agent string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.running {
		a.deleted = a.deleted || among(a.tenant, a.agent)
	}
	for e := r.recent.Front(); e != nil; {
		next := e.Next()
		if s := e.Value.(*spoken); among(s.key.tenant, s.agent) {
			r.drop(e)
		}
		e = next
	}
}

func (r *recall) drop(e *list.Element) {
	s := r.recent.Remove(e).(*spoken)
	delete(r.turns, s.key)
	r.bytes -= s.size()
}

func (s *spoken) size() int {
	n := len(s.text) + len(s.key.tenant)
	for _, b := range s.blocks {
		n += len(b.Text) + len(b.ID) + len(b.Name)
	}
	return n
}

func firstCall(blocks []Block) string {
	for _, b := range blocks {
		if b.Kind == prompt.ToolUse {
			return b.ID
		}
	}
	return ""
}

// restore puts the sampled texts to those turns of a conversation that say what was read from them.
func (r *recall) restore(tenant string, turns []prompt.Turn) {
	budget := rebuiltBytes
	for i, turn := range turns {
		if turn.Role != prompt.Assistant {
			continue
		}
		blocks := blocksOf(turn)
		first := firstCall(blocks)
		if first == "" {
			continue
		}
		if s := r.find(turnKey{tenant, first}); s == nil {
			turns[i].Sampled = rebuilt(blocks, &budget)
		} else if sameBlocks(s.blocks, blocks) {
			turns[i].Sampled = s.text
		}
	}
}

// rebuiltBytes is the most bytes of texts that are tried for one conversation.
const rebuiltBytes = 16 << 20

// rebuilt is the text of an answer that nobody remembers, as after a restart, if it ends with a call and was written in a
// usual way; else "".
func rebuilt(blocks []Block, budget *int) (found string) {
	var pieces []toolcall.Piece
	for _, b := range blocks {
		switch b.Kind {
		case prompt.Text:
			pieces = append(pieces, toolcall.Piece{Text: b.Text})
		case prompt.ToolUse:
			pieces = append(pieces, toolcall.Piece{Call: &toolcall.Call{Name: b.Name, Arguments: json.RawMessage(b.Text)}})
		default:
			return ""
		}
	}
	last := blocks[len(blocks)-1].ID
	if !isCallID(last) {
		return ""
	}
	toolcall.Spellings(pieces, func(text string) bool {
		if *budget -= len(text); endsText(last, text) {
			found = text
		}
		return found != "" || *budget < 0
	})
	return found
}

func (r *recall) find(key turnKey) *spoken {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.turns[key]
	if !ok {
		return nil
	}
	r.recent.MoveToFront(found)
	return found.Value.(*spoken)
}

// blocksOf are a turn's parts as blocks; texts that follow each other are one, as a client may cut them for a breakpoint.
func blocksOf(turn prompt.Turn) (blocks []Block) {
	for _, part := range turn.Parts {
		b := Block{Kind: part.Kind, Text: part.Text, ID: part.ID, Name: part.Name}
		if part.Kind == prompt.ToolUse {
			b.Text = string(part.Input)
		}
		if n := len(blocks); n > 0 && b.Kind == prompt.Text && blocks[n-1].Kind == prompt.Text {
			blocks[n-1].Text += b.Text
			continue
		}
		blocks = append(blocks, b)
	}
	return blocks
}

func sameBlocks(a, b []Block) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Kind != b[i].Kind || a[i].ID != b[i].ID || a[i].Name != b[i].Name {
			return false
		}
		if a[i].Text != b[i].Text && (a[i].Kind != prompt.ToolUse || !sameJSON(a[i].Text, b[i].Text)) {
			return false
		}
	}
	return true
}
