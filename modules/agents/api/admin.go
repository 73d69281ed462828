package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/danielgtaylor/huma/v2"
)

// AgentPath names an agent of any tenant.
type AgentPath struct {
	Tenant string `path:"tenant" example:"default"`
	ID     string `path:"id" example:"agent-1"`
}

type adminPage struct {
	Page
	Tenant     string    `query:"tenant"`
	UsedBefore time.Time `query:"used_before"`
	UsedAfter  time.Time `query:"used_after"`
}

func (a *API) adminList(ctx context.Context, in *adminPage) (*pageAnswer, error) {
	return a.pageOf(ctx, in.Page, agents.Filter{Tenant: in.Tenant, UsedBefore: in.UsedBefore, UsedAfter: in.UsedAfter}, true)
}

func (a *API) adminShow(ctx context.Context, in *AgentPath) (*agentAnswer, error) {
	record, err := a.registry.Written(ctx, in.Tenant, in.ID)
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	return a.answerOf(record, true), nil
}

// agentEviction says where an agent's memory is to lie before it leaves the pool.
type agentEviction struct {
	To string `json:"to,omitempty" doc:"disk, or object for object storage" enum:"disk,object"`
}

type evictInput struct {
	AgentPath
	Body *agentEviction
}

func (a *API) adminEvict(ctx context.Context, in *evictInput) (*movedAnswer, error) {
	to := ""
	if in.Body != nil {
		to = in.Body.To
	}
	if tiers := a.registry.Tiers(); to != "" && !slices.Contains(tiers, to) {
		return nil, huma.Error409Conflict("this server has no tier " + to + "; it has " + strings.Join(tiers, ", "))
	}
	moved, nodes, err := a.registry.Evict(ctx, in.Tenant, in.ID, to)
	return a.moveAnswer(ctx, moved, nodes, err)
}

func (a *API) adminPrefetch(ctx context.Context, in *AgentPath) (*movedAnswer, error) {
	moved, nodes, err := a.registry.Prefetch(ctx, in.Tenant, in.ID)
	return a.moveAnswer(ctx, moved, nodes, err)
}

// agentRetention says how long an agent's memory is given up after others.
type agentRetention struct {
	TTL float64 `json:"ttl_seconds" minimum:"0" maximum:"3155760000" doc:"0 ends the retention"`
}

type retainInput struct {
	AgentPath
	Body agentRetention
}

func (a *API) adminRetain(ctx context.Context, in *retainInput) (*agentAnswer, error) {
	until := time.Time{}
	if in.Body.TTL > 0 {
		until = a.clock().Add(seconds(in.Body.TTL)).UTC()
	}
	record, err := a.registry.Retain(ctx, in.Tenant, in.ID, until)
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	return a.answerOf(record, true), nil
}

func (a *API) adminDelete(ctx context.Context, in *AgentPath) (*operationAnswer, error) {
	return a.removeAgent(ctx, in.Tenant, in.ID)
}

func (a *API) adminOperation(ctx context.Context, in *operationInput) (*operationAnswer, error) {
	return a.operationOf(ctx, "", in.Operation)
}
