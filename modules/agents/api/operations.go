package api

import (
	"context"
	"errors"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/danielgtaylor/huma/v2"
)

// operation is work that goes on after its request was answered.
type operation struct {
	ID     string `json:"operation_id"`
	Status string `json:"status" enum:"running,done"`
	Error  string `json:"error,omitempty" doc:"Why the last attempt failed; it is tried again until it is done"`
	Blocks int    `json:"blocks" doc:"Blocks removed from the tiers below the pool"`
	Bytes  int64  `json:"bytes"`
}

type operationAnswer struct{ Body operation }

// attemptFailed is what an operation's error says to users; operators see the cause.
const attemptFailed = "the last attempt failed"

func operationOf(d agents.Deletion) *operationAnswer {
	op := operation{ID: d.Operation, Status: "running", Error: d.Error, Blocks: d.Removed.Blocks, Bytes: d.Removed.Bytes}
	if !d.Ended.IsZero() {
		op.Status = "done"
	}
	return &operationAnswer{op}
}

func (a *API) remove(ctx context.Context, in *idInput) (*operationAnswer, error) {
	return a.removeAgent(ctx, auth.From(ctx).Tenant, in.ID)
}

func (a *API) removeAgent(ctx context.Context, tenant, id string) (*operationAnswer, error) {
	d, err := a.registry.Delete(ctx, tenant, id)
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	return operationOf(d), nil
}

type operationInput struct {
	Operation string `path:"operation"`
}

func (a *API) operation(ctx context.Context, in *operationInput) (*operationAnswer, error) {
	return a.operationOf(ctx, auth.From(ctx).Tenant, in.Operation)
}

func (a *API) operationOf(ctx context.Context, tenant, id string) (*operationAnswer, error) {
	d, err := a.registry.Deletion(ctx, tenant, id)
	if errors.Is(err, agents.ErrNotFound) {
		return nil, huma.Error404NotFound("there is no such operation; ended ones are forgotten after a week")
	}
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	answer := operationOf(d)
	if tenant != "" && answer.Body.Error != "" {
		answer.Body.Error = attemptFailed
	}
	return answer, nil
}
