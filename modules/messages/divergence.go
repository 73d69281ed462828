package messages

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages/divergence"
)

// DivergenceHeader tells on an answer which part of the request is the first that is not what it was when the conversation
// was last asked about, so that all from there on is computed again: a path in the request's JSON, "; ", and what became of
// the part.
const DivergenceHeader = "X-Cache-Divergence"

// followed is a conversation whose next state is compared with this one.
type followed struct {
	memory *divergence.Memory
	owner  divergence.Owner
	before *divergence.Outline // nil: none is known
	now    *divergence.Outline
	next   string // where in the caller's JSON the answer will stand; empty: it goes on with what stands there already
}

// follow looks for the conversation's last state. It returns nil for one that is too long to be followed.
func (s *Service) follow(req *Request) *followed {
	if req.Text != nil || !divergence.Fits(req.Conversation) {
		return nil
	}
	f := &followed{
		memory: s.outlines, owner: divergence.OwnerOf(req.Tenant, req.Agent, req.Conversation),
		now: divergence.Of(req.Conversation, req.Choice.Schema), next: req.Conversation.Next,
	}
	if req.Conversation.Continue {
		f.next = ""
	}
	f.before = f.memory.Nearest(f.owner, f.now)
	return f
}

// divergence is where a request's conversation differs from its last state, or nil.
func (s *Service) divergence(ctx context.Context, req *Request) *divergence.Finding {
	if req.followed == nil || req.followed.before == nil {
		return nil
	}
	return divergence.Between(ctx, s.cfg.Renderer, req.followed.before, req.followed.now, req.Conversation)
}

// tellDivergence tells the client, the log and the metrics where a conversation differs from its last state.
func (s *Service) tellDivergence(w http.ResponseWriter, r *http.Request, req *Request) {
	found := s.divergence(r.Context(), req)
	if found == nil {
		return
	}
	w.Header().Set(DivergenceHeader, found.Path+"; "+string(found.Change))
	s.cfg.Log.InfoContext(r.Context(), "cache_diverged", "path", found.Path, "change", found.Change, "kind", found.Kind)
	if s.cfg.Diverged != nil {
		s.cfg.Diverged(found.Kind)
	}
}

// keep remembers the conversation as it was asked about.
func (f *followed) keep() {
	if f != nil {
		f.memory.Keep(f.owner, f.before, f.now)
	}
}

// answered remembers what the conversation was answered.
func (f *followed) answered(blocks []Block) {
	if f == nil || f.next == "" {
		return
	}
	parts := make([]prompt.Part, 0, len(blocks))
	for i, b := range blocks {
		part := prompt.Part{Kind: b.Kind, Place: f.placeOf(i), Text: b.Text, ID: b.ID, Name: b.Name}
		if b.Kind == prompt.ToolUse {
			part.Text, part.Input = "", []byte(b.Text)
		}
		parts = append(parts, part)
	}
	f.memory.Grow(f.owner, f.now, f.now.Answered(parts))
}

// placeOf is where a block of the answer will stand, if the surface has blocks.
func (f *followed) placeOf(block int) string {
	if strings.HasSuffix(f.next, ".content") {
		return f.next + "." + strconv.Itoa(block)
	}
	return f.next
}

// Origin returns what a request with PromptOnly that Take returned is made of.
func (s *Service) Origin(req *Request) prompt.Origin { return &origin{s, req} }

type origin struct {
	service *Service
	req     *Request
}

// Path implements prompt.Origin.
func (o *origin) Path(ctx context.Context, token int) string {
	if o.req.followed == nil {
		return ""
	}
	tokens := func(ctx context.Context, c prompt.Conversation) ([]int32, error) {
		rendered, err := o.service.cfg.Renderer.Render(ctx, c)
		return rendered.Tokens, err
	}
	return divergence.Locate(ctx, tokens, o.req.followed.now, o.req.Conversation, token)
}

// Difference implements prompt.Origin.
func (o *origin) Difference(ctx context.Context) (path, change, kind string, isKnown bool) {
	found := o.service.divergence(ctx, o.req)
	if found == nil {
		return "", "", "", false
	}
	return found.Path, string(found.Change), string(found.Kind), true
}
