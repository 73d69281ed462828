package divergence

import (
	"container/list"
	"slices"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/prompt"
)

const (
	mostParts    = 10_000  // of a conversation that is remembered
	mostElements = 100_000 // of all that are
	mostBranches = 8       // conversations of one agent
)

// Owner is whose conversations are compared with each other: an agent's, or those of a tenant that begin alike.
type Owner struct {
	Tenant, Agent string
	Start         uint64 // of a conversation without an agent
}

// OwnerOf is whose conversation it is.
func OwnerOf(tenant, agent string, c prompt.Conversation) Owner {
	o := Owner{Tenant: tenant, Agent: agent}
	if agent != "" {
		return o
	}
	for _, turn := range c.Turns {
		if turn.Role == prompt.User && len(turn.Parts) > 0 {
			o.Start = sum(turn.Parts[0].Text)
			break
		}
	}
	return o
}

// Memory remembers what conversations consisted of when they were last asked about, those used last.
type Memory struct {
	mu       sync.Mutex
	owners   map[Owner]*list.Element // of *remembered
	recent   *list.List              // the one used last in front
	elements int
}

type remembered struct {
	owner    Owner
	branches []*Outline // the one used last in front
}

// NewMemory returns an empty memory.
func NewMemory() *Memory { return &Memory{owners: map[Owner]*list.Element{}, recent: list.New()} }

// Fits tells whether a conversation is one that can be remembered.
func Fits(c prompt.Conversation) bool {
	parts := len(c.Tools)
	for _, turn := range c.Turns {
		parts += len(turn.Parts)
	}
	return parts <= mostParts
}

// Nearest returns the remembered conversation of an owner that has most in common with another, or nil.
func (m *Memory) Nearest(owner Owner, o *Outline) (nearest *Outline) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.owners[owner]
	if !ok {
		return nil
	}
	most := -1
	for _, branch := range at.Value.(*remembered).branches {
		if n := common(branch, o); n > most {
			nearest, most = branch, n
		}
	}
	return nearest
}

// common is how many elements of a are in b.
func common(a, b *Outline) (n int) {
	for _, pair := range [][2][]element{{a.tools, b.tools}, {a.system, b.system}, {a.turns, b.turns}} {
		hashes := map[uint64]bool{}
		for _, e := range pair[1] {
			hashes[e.content] = true
		}
		for _, e := range pair[0] {
			if hashes[e.content] {
				n++
			}
		}
	}
	return n
}

// Keep remembers a conversation in the place of the one that it goes on with, which may be nil. Several answers to one request
// are one conversation.
func (m *Memory) Keep(owner Owner, before, o *Outline) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.owners[owner]
	if !ok {
		at = m.recent.PushFront(&remembered{owner: owner})
		m.owners[owner] = at
	}
	m.recent.MoveToFront(at)
	of := at.Value.(*remembered)
	if slices.Contains(of.branches, o) {
		return
	}
	if i := slices.Index(of.branches, before); i >= 0 && goesOn(before, o) {
		m.forgetBranch(of, i)
	}
	of.branches = slices.Insert(of.branches, 0, o)
	m.elements += o.Len()
	if len(of.branches) > mostBranches {
		m.forgetBranch(of, len(of.branches)-1)
	}
	for m.elements > mostElements && m.recent.Len() > 1 {
		m.drop(m.recent.Back())
	}
}

// Grow puts a later state in the place of a conversation, if that is still remembered.
func (m *Memory) Grow(owner Owner, o, grown *Outline) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.owners[owner]
	if !ok {
		return
	}
	of := at.Value.(*remembered)
	if i := slices.Index(of.branches, o); i >= 0 {
		of.branches[i] = grown
		m.elements += grown.Len() - o.Len()
	}
}

// goesOn tells whether a conversation is a later state of another.
func goesOn(before, o *Outline) bool {
	return len(before.turns) == 0 || shareAny(before.turns, o.turns)
}

func (m *Memory) forgetBranch(of *remembered, i int) {
	m.elements -= of.branches[i].Len()
	of.branches = slices.Delete(of.branches, i, i+1)
}

func (m *Memory) drop(at *list.Element) {
	of := m.recent.Remove(at).(*remembered)
	delete(m.owners, of.owner)
	for _, o := range of.branches {
		m.elements -= o.Len()
	}
}

// Forget drops what is remembered of the owners that are among those.
func (m *Memory) Forget(among func(Owner) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at := m.recent.Front(); at != nil; {
		next := at.Next()
		if among(at.Value.(*remembered).owner) {
			m.drop(at)
		}
		at = next
	}
}
