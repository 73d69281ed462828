package prompt

import (
	"context"
	"sync/atomic"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// Source is what a Late stands for, such as a *Renderer.
type Source interface {
	Render(ctx context.Context, c Conversation) (Rendered, error)
	Plain(ctx context.Context, text string, most int) (Rendered, error)
	Diverge(ctx context.Context, a, b Conversation) (int, error)
	NewDecoder() engine.TextDecoder
	Spelling() prefix.Spelling
}

// Late stands for a source while the tokenizer and the chat template are loading.
type Late struct {
	loaded atomic.Pointer[Source]
}

// Set puts what was loaded in its place.
func (l *Late) Set(s Source) { l.loaded.Store(&s) }

// Render implements Source. Until Set it returns engine.ErrStarting.
func (l *Late) Render(ctx context.Context, c Conversation) (Rendered, error) {
	loaded := l.loaded.Load()
	if loaded == nil {
		return Rendered{}, engine.ErrStarting
	}
	return (*loaded).Render(ctx, c)
}

// Plain implements Source. Until Set it returns engine.ErrStarting.
func (l *Late) Plain(ctx context.Context, text string, most int) (Rendered, error) {
	loaded := l.loaded.Load()
	if loaded == nil {
		return Rendered{}, engine.ErrStarting
	}
	return (*loaded).Plain(ctx, text, most)
}

// Diverge implements Source. Until Set it returns engine.ErrStarting.
func (l *Late) Diverge(ctx context.Context, a, b Conversation) (int, error) {
	loaded := l.loaded.Load()
	if loaded == nil {
		return -1, engine.ErrStarting
	}
	return (*loaded).Diverge(ctx, a, b)
}

// Spelling implements Source. It is called only after a Render.
func (l *Late) Spelling() prefix.Spelling { return (*l.loaded.Load()).Spelling() }

// NewDecoder implements Source. The engine calls it only after a Render.
func (l *Late) NewDecoder() engine.TextDecoder { return (*l.loaded.Load()).NewDecoder() }
