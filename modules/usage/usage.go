// Package usage counts what tenants ask for on this node, and tells operators.
package usage

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/lru"
	"github.com/danielgtaylor/huma/v2"
)

// mostTenants is how many tenants' usage is remembered, of those that asked last.
const mostTenants = 10_000

// Request is one that ended.
type Request struct {
	Tenant    string
	Failed    bool // or was cut
	Prompt    int  // tokens
	Cached    int  // of the prompt's, those that were read from a tier
	Generated int
}

// Counter counts. It may be used from anywhere.
type Counter struct {
	clock func() time.Time
	since time.Time

	mu      sync.Mutex
	tenants *lru.Map[string, TenantUsage]
}

// New returns a counter that begins now.
func New(clock func() time.Time) *Counter {
	return &Counter{clock: clock, since: clock().UTC(), tenants: lru.New[string, TenantUsage](mostTenants)}
}

// TenantUsage is what a tenant asked for since this node started.
type TenantUsage struct {
	Tenant    string    `json:"tenant" example:"default"`
	Requests  int64     `json:"requests" doc:"That the engine took and that ended, well or not"`
	Failed    int64     `json:"failed" doc:"Of those, requests that failed or were cut"`
	Prompt    int64     `json:"prompt_tokens"`
	Cached    int64     `json:"cached_tokens" doc:"Of the prompts' tokens, those that were read from a tier"`
	Generated int64     `json:"generated_tokens"`
	Last      time.Time `json:"last_request_at"`
}

// Note counts a request.
func (c *Counter) Note(r Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, _ := c.tenants.Get(r.Tenant)
	u.Tenant, u.Last = r.Tenant, c.clock().UTC()
	u.Requests++
	if r.Failed {
		u.Failed++
	}
	u.Prompt += int64(r.Prompt)
	u.Cached += int64(r.Cached)
	u.Generated += int64(r.Generated)
	c.tenants.Put(r.Tenant, u)
}

// behind returns the usage of tenants behind a name, in the order of their names, and whether there are more.
func (c *Counter) behind(after string, limit int) (page []TenantUsage, more bool) {
	c.mu.Lock()
	c.tenants.Update(func(name string, u TenantUsage) (TenantUsage, bool) {
		if name > after {
			page = append(page, u)
		}
		return u, true
	})
	c.mu.Unlock()
	slices.SortFunc(page, func(a, b TenantUsage) int { return cmp.Compare(a.Tenant, b.Tenant) })
	if len(page) > limit {
		return page[:limit], true
	}
	return page, false
}

// Register adds the module's operation to the router.
func (c *Counter) Register(router *httpapi.Router) {
	huma.Register(router.API(), huma.Operation{
		OperationID: "adminListUsage", Method: http.MethodGet, Path: "/admin/usage", Tags: []string{"admin"},
		Summary:  "What each tenant asked this node for since it started",
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
	}, c.list)
}

type listInput struct {
	Cursor string `query:"cursor" doc:"Where to go on: next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// TenantUsagePage is a part of the list.
type TenantUsagePage struct {
	Since   time.Time     `json:"since" doc:"When this node started"`
	Tenants []TenantUsage `json:"tenants" nullable:"false" doc:"By name; of the 10,000 that asked last"`
	Next    string        `json:"next_cursor,omitempty" doc:"Missing on the last page"`
}

type listAnswer struct{ Body TenantUsagePage }

func (c *Counter) list(_ context.Context, in *listInput) (*listAnswer, error) {
	after, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil {
		return nil, huma.Error400BadRequest("the cursor is not one that a list returned")
	}
	page, more := c.behind(string(after), in.Limit)
	answer := &listAnswer{TenantUsagePage{Since: c.since, Tenants: append([]TenantUsage{}, page...)}}
	if more {
		answer.Body.Next = base64.RawURLEncoding.EncodeToString([]byte(page[len(page)-1].Tenant))
	}
	return answer, nil
}
