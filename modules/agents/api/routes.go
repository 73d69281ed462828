// Package api answers over HTTP for the agents: to users for their own, to operators for everybody's.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/modules/agents"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// API answers for the registry.
type API struct {
	registry *agents.Registry
	clock    func() time.Time
	log      *slog.Logger
}

// Config is what the API is built on.
type Config struct {
	Router   *httpapi.Router
	Registry *agents.Registry
	Locate   Locate // for an agent's blocks
	// RevokeKeys revokes a tenant's keys and returns how many it were.
	RevokeKeys func(ctx context.Context, tenant string) (int, error)
	Clock      func() time.Time // time.Now
	Log        *slog.Logger
}

// Register adds the module's operations to the router.
func Register(cfg Config) {
	a := &API{registry: cfg.Registry, clock: cfg.Clock, log: cfg.Log}
	if a.clock == nil {
		a.clock = time.Now
	}
	a.addUsers(cfg.Router)
	a.addOperators(cfg.Router.API(), cfg.RevokeKeys, cfg.Locate)
	collections{a}.add(cfg.Router.API())
}

// addUsers adds what a key's owner may do to its own agents.
func (a *API) addUsers(router *httpapi.Router) {
	api := router.API()
	huma.Register(api, users("createAgent", http.MethodPost, "", "Create an agent, and compute its system prompt if it has one", 201), a.create)
	describeExisting(router)
	huma.Register(api, users("listAgents", http.MethodGet, "", "List this key's agents", 200), a.list)
	huma.Register(api, users("getAgent", http.MethodGet, "/{id}", "What is known of an agent and what each tier holds of it", 200), a.show)
	huma.Register(api, users("deleteAgent", http.MethodDelete, "/{id}", "Delete an agent and all blocks that are nobody else's", 202), a.remove)
	huma.Register(api, users("prefetchAgent", http.MethodPost, "/{id}/prefetch", "Bring an agent's memory into the pool", 200), a.prefetch)
	huma.Register(api, users("getOperation", http.MethodGet, "/operations/{operation}", "The state of a deletion", 200), a.operation)
}

// addOperators adds what operators may do to everybody's agents.
func (a *API) addOperators(api huma.API, revoke func(context.Context, string) (int, error), locate Locate) {
	huma.Register(api, admins("adminListAgents", http.MethodGet, "", "List every tenant's agents", 200), a.adminList)
	huma.Register(api, admins("adminGetAgent", http.MethodGet, "/{tenant}/{id}", "What is known of an agent and what each tier holds of it", 200), a.adminShow)
	huma.Register(api, admins("adminGetAgentBlocks", http.MethodGet, "/{tenant}/{id}/blocks", "An agent's conversations block by block, and which tiers have each", 200), layout{a, locate}.show)
	huma.Register(api, admins("adminEvictAgent", http.MethodPost, "/{tenant}/{id}/evict", "Take an agent's memory out of the pool, once a lower tier has it", 200), a.adminEvict)
	huma.Register(api, admins("adminPrefetchAgent", http.MethodPost, "/{tenant}/{id}/prefetch", "Bring an agent's memory into the pool", 200), a.adminPrefetch)
	huma.Register(api, admins("adminRetainAgent", http.MethodPost, "/{tenant}/{id}/retain", "Give an agent's memory up after others for a while", 200), a.adminRetain)
	huma.Register(api, admins("adminDeleteAgent", http.MethodDelete, "/{tenant}/{id}", "Delete an agent and all blocks that are nobody else's", 202), a.adminDelete)
	huma.Register(api, admins("adminDeleteTenant", http.MethodDelete, "/{tenant}", "Revoke a tenant's keys, and delete all its agents and every block of it", 202), tenants{a, revoke}.remove)
	huma.Register(api, admins("adminGetOperation", http.MethodGet, "/operations/{operation}", "The state of a deletion", 200), a.adminOperation)
}

// describeExisting documents that creating an agent that is there answers with 200.
func describeExisting(router *httpapi.Router) {
	responses := router.API().OpenAPI().Paths["/v1/agents"].Post.Responses
	found := *responses["201"]
	found.Description = "The agent was there already; its time to live is changed"
	responses["200"] = &found
}

func users(id, method, path, summary string, status int) huma.Operation {
	return operationAt(id, method, "/v1/agents"+path, summary, status, "agents")
}

func admins(id, method, path, summary string, status int) huma.Operation {
	return operationAt(id, method, "/admin/agents"+path, summary, status, "admin")
}

func operationAt(id, method, path, summary string, status int, tag string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: status, Tags: []string{tag},
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
	}
}
