package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/agent-memory/agent-memory/mlx/engine"
)

// Engine computes prompts.
type Engine interface {
	Submit(ctx context.Context, req engine.Request) (*engine.Stream, error)
}

// Warm computes a system prompt for an agent: what two conversations that begin with it have in common. It
// returns the number of tokens.
func Warm(ctx context.Context, e Engine, source Source, tenant, agent, system string) (int, error) {
	tokens, err := shared(ctx, source, system)
	if err != nil {
		return 0, err
	}
	stream, err := e.Submit(ctx, engine.Request{
		ID: "warm", Tenant: tenant, Agent: agent, Tokens: tokens, NewDecoder: source.NewDecoder,
	})
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	if _, err := stream.Next(ctx); !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("compute a system prompt of %d tokens: %w", len(tokens), err)
	}
	return len(tokens), nil
}

// shared are the tokens with which every conversation of this system prompt begins.
func shared(ctx context.Context, source Source, system string) ([]int32, error) {
	var prompts [2][]int32
	for i, word := range []string{"a", "b"} {
		rendered, err := source.Render(ctx, Conversation{Turns: []Turn{
			{Role: System, Parts: []Part{{Kind: Text, Text: system}}},
			{Role: User, Parts: []Part{{Kind: Text, Text: word}}},
		}})
		if err != nil {
			return nil, err
		}
		prompts[i] = rendered.Tokens
	}
	n := common(prompts[0], prompts[1])
	if n == 0 {
		return nil, &RefusedError{Reason: "its chat template puts the user's text before the system prompt"}
	}
	return prompts[0][:n], nil
}
