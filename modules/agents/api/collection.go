package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/danielgtaylor/huma/v2"
)

// collections removes from the bucket what nobody needs any more.
type collections struct{ api *API }

func (c collections) add(api huma.API) {
	huma.Register(api, operationAt("adminCollect", http.MethodPost, "/admin/pool/collect",
		"Remove from the bucket the blocks that no agent owns and that nobody stored anew for the time to live", 200, "admin"), c.collect)
}

// collectionOrder says what a collection may do.
type collectionOrder struct {
	Count    bool `json:"count_only,omitempty" doc:"Look only, and remove nothing"`
	AnyShare bool `json:"any_share,omitempty" doc:"Remove them though they are more than a tenth of all blocks, as they are when the database was set back or emptied"`
}

type collectionInput struct {
	Body collectionOrder
}

// collectionResult is what a collection found and did.
type collectionResult struct {
	Blocks        int   `json:"blocks" doc:"That the bucket has"`
	Orphans       int   `json:"orphans" doc:"Of these, blocks that no agent owns and that nobody stored anew for the time to live"`
	RemovedBlocks int   `json:"removed_blocks" doc:"100,000 at most; the next collection goes on"`
	RemovedBytes  int64 `json:"removed_bytes"`
}

type collectionAnswer struct{ Body collectionResult }

func (c collections) collect(ctx context.Context, in *collectionInput) (*collectionAnswer, error) {
	done, err := c.api.registry.Collect(ctx, agents.Order{Count: in.Body.Count, AnyShare: in.Body.AnyShare})
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	return &collectionAnswer{collectionResult{done.Blocks, done.Orphans, done.Removed.Blocks, done.Removed.Bytes}}, nil
}

// failure tells why nothing was removed, and what to do.
func (c collections) failure(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, agents.ErrTenth):
		return huma.Error409Conflict(fmt.Sprintf("%v. Was the database set back or emptied? Blocks are owned again as their agents are used. "+
			"If nobody needs them, ask again with any_share", err))
	case errors.Is(err, agents.ErrOtherSecret), errors.Is(err, agents.ErrNoInventory):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, agents.ErrOtherLeads):
		return huma.Error409Conflict(err.Error() + "; ask again in a minute")
	}
	return c.api.failureAs(ctx, err, "the bucket or the agents' records can't be reached now; what was removed so far was nobody's; "+
		"retry later, the server's log tells more under this request id")
}
