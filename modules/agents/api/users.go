package api

import (
	"context"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// newAgent is an agent that is to be made.
type newAgent struct {
	ID     string  `json:"id" minLength:"1" doc:"1 to 256 bytes of UTF-8, no control characters"`
	System string  `json:"system,omitempty" doc:"A system prompt, whose memory is computed now"`
	TTL    float64 `json:"ttl_seconds,omitempty" minimum:"0" maximum:"3155760000" doc:"Unused for so long the agent is deleted"`
}

type createInput struct {
	Body newAgent
}

func (a *API) create(ctx context.Context, in *createInput) (*agentAnswer, error) {
	if err := httpapi.CheckID("the agent's id", in.Body.ID); err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	record, created, err := a.registry.Create(ctx, auth.From(ctx).Tenant, in.Body.ID, in.Body.System, seconds(in.Body.TTL))
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	answer := a.answerOf(record, false)
	if created {
		answer.Status = http.StatusCreated
	}
	return answer, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (a *API) answerOf(record agents.Record, tenantToo bool) *agentAnswer {
	answer := &agentAnswer{Status: http.StatusOK, Body: a.viewOf(record, tenantToo)}
	answer.Body.Tiers = a.holdings(record)
	return answer
}

type idInput struct {
	ID string `path:"id" example:"agent-1"`
}

func (a *API) show(ctx context.Context, in *idInput) (*agentAnswer, error) {
	record, err := a.registry.Written(ctx, auth.From(ctx).Tenant, in.ID)
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	return a.answerOf(record, false), nil
}

// Page asks for a part of a list.
type Page struct {
	Cursor string `query:"cursor" doc:"Where to go on: next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Prefix string `query:"prefix" doc:"Of the id"`
}

// agentPage is a part of a list of agents.
type agentPage struct {
	Agents []agent `json:"agents" nullable:"false"`
	Next   string  `json:"next_cursor,omitempty" doc:"Missing on the last page"`
}

type pageAnswer struct {
	Body agentPage
}

func (a *API) list(ctx context.Context, in *Page) (*pageAnswer, error) {
	return a.pageOf(ctx, *in, agents.Filter{Tenant: auth.From(ctx).Tenant}, false)
}

func (a *API) pageOf(ctx context.Context, in Page, f agents.Filter, tenantToo bool) (*pageAnswer, error) {
	f.Limit, f.Prefix = in.Limit, in.Prefix
	if err := readCursor(in.Cursor, &f.After); err != nil {
		return nil, huma.Error400BadRequest("the cursor is not one that a list returned")
	}
	records, next, err := a.registry.List(ctx, f)
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	answer := &pageAnswer{}
	answer.Body.Agents = []agent{}
	for _, record := range records {
		answer.Body.Agents = append(answer.Body.Agents, a.viewOf(record, tenantToo))
	}
	answer.Body.Next = writeCursor(next)
	return answer, nil
}

type movedAnswer struct{ Body moved }

type moved struct {
	Blocks int   `json:"blocks"`
	Bytes  int64 `json:"bytes"`
	NoRoom int   `json:"no_room,omitempty" doc:"Blocks that were to move and for which there was no room"`
	Nodes  int   `json:"other_nodes,omitempty" doc:"Nodes beside this one that were told to do the same, and do so within seconds. What they move is not counted here"`
}

func (a *API) moveAnswer(ctx context.Context, m kv.Moved, nodes int, err error) (*movedAnswer, error) {
	if err != nil {
		return nil, a.moveFailure(ctx, err)
	}
	return &movedAnswer{moved{m.Blocks, m.Bytes, m.NoRoom, nodes}}, nil
}

func (a *API) prefetch(ctx context.Context, in *idInput) (*movedAnswer, error) {
	moved, nodes, err := a.registry.Prefetch(ctx, auth.From(ctx).Tenant, in.ID)
	return a.moveAnswer(ctx, moved, nodes, err)
}
