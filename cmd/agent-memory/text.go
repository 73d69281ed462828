package main

import (
	"context"
	"sync/atomic"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/messages"
)

// lateText stands for the tokenizer and the chat template while they are loading.
type lateText struct {
	loaded atomic.Pointer[messages.Prompter]
}

func (t *lateText) set(p messages.Prompter) { t.loaded.Store(&p) }

// Prompt implements messages.Prompter.
func (t *lateText) Prompt(ctx context.Context, c messages.Conversation) (messages.Prompt, error) {
	loaded := t.loaded.Load()
	if loaded == nil {
		return messages.Prompt{}, engine.ErrStarting
	}
	return (*loaded).Prompt(ctx, c)
}

// Spelling implements messages.Prompter. It is called only after a Prompt.
func (t *lateText) Spelling() engine.Spelling { return (*t.loaded.Load()).Spelling() }

// NewDecoder implements messages.Prompter. The engine calls it only after a Prompt.
func (t *lateText) NewDecoder() engine.TextDecoder { return (*t.loaded.Load()).NewDecoder() }
