package api

import (
	"context"
	"errors"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/danielgtaylor/huma/v2"
)

// failure returns the answer for an error. Its cause, with paths and statements, goes to the log only.
func (a *API) failure(ctx context.Context, err error) error {
	return a.failureAs(ctx, err, "the agents' records or memory can't be reached now; retry later, the server's log tells more under this request id")
}

// moveFailure is failure for an operation that moves memory.
func (a *API) moveFailure(ctx context.Context, err error) error {
	return a.failureAs(ctx, err, "not all of the agent's memory could be moved: there is no room for it, a tier can't be reached, or blocks are damaged; "+
		"the server's log tells more under this request id")
}

// failureAs is failure with the words for errors that have none of their own.
func (a *API) failureAs(ctx context.Context, err error, otherwise string) error {
	var unfit *agents.UnfitError
	switch {
	case errors.Is(err, agents.ErrNotFound):
		return huma.Error404NotFound("there is no such agent")
	case errors.As(err, &unfit):
		return huma.Error400BadRequest("system: " + unfit.Reason)
	case errors.Is(err, context.Canceled):
		return huma.NewError(499, "the client left")
	case errors.Is(err, engine.ErrStarting), errors.Is(err, engine.ErrDraining), errors.Is(err, engine.ErrQueueFull):
		return huma.Error503ServiceUnavailable("the model can't take work now: it is still loading, ending, or its queue is full; retry later")
	case errors.Is(err, engine.ErrUnloaded):
		return huma.Error503ServiceUnavailable(engine.ErrUnloaded.Error() + "; load one by /admin/models/load")
	}
	a.log.WarnContext(ctx, "agents_request_failed", "error", err.Error())
	return huma.Error503ServiceUnavailable(otherwise)
}
