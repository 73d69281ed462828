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

// Unset lets go of what was loaded, so that its memory is given back.
func (l *Late) Unset() { l.loaded.Store(nil) }

// Render implements Source. Until Set it returns engine.ErrStarting. What was rendered stays of use after an Unset.
func (l *Late) Render(ctx context.Context, c Conversation) (Rendered, error) {
	loaded := l.loaded.Load()
	if loaded == nil {
		return Rendered{}, engine.ErrStarting
	}
	rendered, err := (*loaded).Render(ctx, c)
	if rendered.NewDecoder == nil && err == nil {
		rendered.NewDecoder, rendered.Spelling = (*loaded).NewDecoder, (*loaded).Spelling()
	}
	return rendered, err
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

// Spelling implements Source. It is nil without a source.
func (l *Late) Spelling() prefix.Spelling {
	if loaded := l.loaded.Load(); loaded != nil {
		return (*loaded).Spelling()
	}
	return nil
}

// NewDecoder implements Source. Without a source it returns a decoder of no text.
func (l *Late) NewDecoder() engine.TextDecoder {
	if loaded := l.loaded.Load(); loaded != nil {
		return (*loaded).NewDecoder()
	}
	return silent{}
}

// silent decodes nothing.
type silent struct{}

// Push implements engine.TextDecoder.
func (silent) Push(int32) string { return "" }

// Flush implements engine.TextDecoder.
func (silent) Flush() string { return "" }
