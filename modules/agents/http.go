package agents

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// Register adds the module's operations to the router.
func Register(router *httpapi.Router, r *Registry) {
	api := router.API()
	huma.Register(api, users("createAgent", http.MethodPost, "", "Create an agent, and compute its system prompt if it has one", 201), r.create)
	huma.Register(api, users("listAgents", http.MethodGet, "", "List this key's agents", 200), r.list)
	huma.Register(api, users("getAgent", http.MethodGet, "/{id}", "What is known of an agent and what each tier holds of it", 200), r.show)
	huma.Register(api, users("deleteAgent", http.MethodDelete, "/{id}", "Delete an agent and all blocks that are nobody else's", 202), r.remove)
	huma.Register(api, users("prefetchAgent", http.MethodPost, "/{id}/prefetch", "Bring an agent's memory into the pool", 200), r.prefetch)
	huma.Register(api, users("getOperation", http.MethodGet, "/operations/{operation}", "The state of a deletion", 200), r.operation)

	huma.Register(api, admins("adminListAgents", http.MethodGet, "", "List every tenant's agents", 200), r.adminList)
	huma.Register(api, admins("adminGetAgent", http.MethodGet, "/{tenant}/{id}", "What is known of an agent and what each tier holds of it", 200), r.adminShow)
	huma.Register(api, admins("adminEvictAgent", http.MethodPost, "/{tenant}/{id}/evict", "Take an agent's memory out of the pool, once a lower tier has it", 200), r.adminEvict)
	huma.Register(api, admins("adminPrefetchAgent", http.MethodPost, "/{tenant}/{id}/prefetch", "Bring an agent's memory into the pool", 200), r.adminPrefetch)
	huma.Register(api, admins("adminRetainAgent", http.MethodPost, "/{tenant}/{id}/retain", "Give an agent's memory up after others for a while", 200), r.adminRetain)
	huma.Register(api, admins("adminDeleteAgent", http.MethodDelete, "/{tenant}/{id}", "Delete an agent and all blocks that are nobody else's", 202), r.adminDelete)
	huma.Register(api, admins("adminGetOperation", http.MethodGet, "/operations/{operation}", "The state of a deletion", 200), r.adminOperation)
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

// agent is a record as clients see it.
type agent struct {
	ID          string         `json:"id"`
	Tenant      string         `json:"tenant,omitempty" doc:"For operators only"`
	Created     time.Time      `json:"created_at"`
	Used        time.Time      `json:"last_used_at"`
	RetainUntil *time.Time     `json:"retain_until,omitempty"`
	TTL         float64        `json:"ttl_seconds,omitempty" doc:"Unused for so long it is deleted; without it the server's setting holds"`
	Tokens      int            `json:"tokens" doc:"Of its longest conversation"`
	Heads       []conversation `json:"conversations"`
	Tiers       []holding      `json:"tiers,omitempty" doc:"What each tier holds, the fastest first; not in lists"`
}

type conversation struct {
	Head   string    `json:"head" doc:"Key of the last block"`
	Tokens int       `json:"tokens"`
	Blocks int       `json:"blocks"`
	Used   time.Time `json:"last_used_at"`
}

type holding struct {
	Tier    string `json:"tier"`
	Blocks  int    `json:"blocks" doc:"Distinct blocks, those shared with other agents included"`
	Bytes   int64  `json:"bytes"`
	Tokens  int    `json:"tokens" doc:"That can be read from this tier alone, of the longest conversation"`
	Durable int    `json:"durable_tokens" doc:"The same, as far as it survives a power cut; 0 in the pool"`
}

func viewOf(record Record, tenantToo bool) agent {
	view := agent{
		ID: record.ID, Created: record.Created, Used: record.Used, TTL: record.TTL.Seconds(), Tokens: record.Tokens(),
		Heads: []conversation{},
	}
	if tenantToo {
		view.Tenant = record.Tenant
	}
	if record.RetainUntil.After(time.Now()) {
		view.RetainUntil = &record.RetainUntil
	}
	for _, head := range record.Heads {
		view.Heads = append(view.Heads, conversation{
			Head: head.Chain.Head().String(), Tokens: head.Chain.Tokens, Blocks: len(head.Chain.Entries()), Used: head.Used,
		})
	}
	return view
}

func (r *Registry) holdings(record Record) []holding {
	var all []holding
	for i, h := range r.cfg.Memory.Holdings(record.Chains()) {
		view := holding{Tier: h.Tier, Blocks: h.Blocks, Bytes: h.Bytes, Tokens: h.Tokens}
		if i > 0 {
			view.Durable = h.Tokens
		}
		all = append(all, view)
	}
	return all
}

// refused puts an error into the form of an answer.
func refused(err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return huma.Error404NotFound("there is no such agent")
	case errors.Is(err, context.Canceled):
		return huma.NewError(499, "the client left")
	}
	return huma.Error503ServiceUnavailable(err.Error())
}

type agentAnswer struct {
	Status int
	Body   agent
}

type createInput struct {
	Body struct {
		ID     string  `json:"id" minLength:"1" doc:"1 to 256 bytes of UTF-8, no control characters"`
		System string  `json:"system,omitempty" doc:"A system prompt, whose memory is computed now"`
		TTL    float64 `json:"ttl_seconds,omitempty" minimum:"0" maximum:"3155760000" doc:"Unused for so long the agent is deleted"`
	}
}

func (r *Registry) create(ctx context.Context, in *createInput) (*agentAnswer, error) {
	if err := httpapi.CheckAgent(in.Body.ID); err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	record, created, err := r.Create(ctx, auth.From(ctx).Tenant, in.Body.ID, in.Body.System, seconds(in.Body.TTL))
	if err != nil {
		return nil, refused(err)
	}
	answer := r.shown(record, false)
	if created {
		answer.Status = http.StatusCreated
	}
	return answer, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (r *Registry) shown(record Record, tenantToo bool) *agentAnswer {
	answer := &agentAnswer{Status: http.StatusOK, Body: viewOf(record, tenantToo)}
	answer.Body.Tiers = r.holdings(record)
	return answer
}

type idInput struct {
	ID string `path:"id"`
}

func (r *Registry) show(ctx context.Context, in *idInput) (*agentAnswer, error) {
	r.save(ctx) // what is told to be durable includes the record, if the database can be written
	record, err := r.Get(ctx, auth.From(ctx).Tenant, in.ID)
	if err != nil {
		return nil, refused(err)
	}
	return r.shown(record, false), nil
}

// Page asks for a part of a list.
type Page struct {
	Cursor string `query:"cursor" doc:"Where to go on: next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Prefix string `query:"prefix" doc:"Of the id"`
}

type pageAnswer struct {
	Body struct {
		Agents []agent `json:"agents"`
		Next   string  `json:"next_cursor,omitempty" doc:"Missing on the last page"`
	}
}

func (r *Registry) list(ctx context.Context, in *Page) (*pageAnswer, error) {
	return r.listed(ctx, *in, Filter{Tenant: auth.From(ctx).Tenant}, false)
}

func (r *Registry) listed(ctx context.Context, in Page, f Filter, tenantToo bool) (*pageAnswer, error) {
	f.Limit, f.Prefix = in.Limit, in.Prefix
	if err := readCursor(in.Cursor, &f.After); err != nil {
		return nil, huma.Error400BadRequest("the cursor is not one that a list returned")
	}
	records, next, err := r.List(ctx, f)
	if err != nil {
		return nil, refused(err)
	}
	answer := &pageAnswer{}
	answer.Body.Agents = []agent{}
	for _, record := range records {
		answer.Body.Agents = append(answer.Body.Agents, viewOf(record, tenantToo))
	}
	answer.Body.Next = writeCursor(next)
	return answer, nil
}

func writeCursor(c Cursor) string {
	if c == (Cursor{}) {
		return ""
	}
	data, _ := json.Marshal([]string{c.Tenant, c.ID}) // strings always can
	return base64.RawURLEncoding.EncodeToString(data)
}

func readCursor(text string, c *Cursor) error {
	if text == "" {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	var parts []string
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return errors.New("not two parts")
	}
	c.Tenant, c.ID = parts[0], parts[1]
	return nil
}

// operation is work that goes on after its request was answered.
type operation struct {
	ID     string `json:"operation_id"`
	Status string `json:"status" enum:"running,done"`
	Error  string `json:"error,omitempty" doc:"Why the last attempt failed; it is tried again until it is done"`
	Blocks int    `json:"blocks" doc:"Blocks removed from the tiers below the pool"`
	Bytes  int64  `json:"bytes"`
}

type operationAnswer struct{ Body operation }

func operationOf(d Deletion) *operationAnswer {
	op := operation{ID: d.Operation, Status: "running", Error: d.Error, Blocks: d.Removed.Blocks, Bytes: d.Removed.Bytes}
	if !d.Ended.IsZero() {
		op.Status = "done"
	}
	return &operationAnswer{op}
}

func (r *Registry) remove(ctx context.Context, in *idInput) (*operationAnswer, error) {
	return r.removed(ctx, auth.From(ctx).Tenant, in.ID)
}

func (r *Registry) removed(ctx context.Context, tenant, id string) (*operationAnswer, error) {
	d, err := r.Delete(ctx, tenant, id)
	if err != nil {
		return nil, refused(err)
	}
	return operationOf(d), nil
}

type operationInput struct {
	Operation string `path:"operation"`
}

func (r *Registry) operation(ctx context.Context, in *operationInput) (*operationAnswer, error) {
	return r.shownOperation(ctx, auth.From(ctx).Tenant, in.Operation)
}

func (r *Registry) shownOperation(ctx context.Context, tenant, id string) (*operationAnswer, error) {
	d, err := r.Deletion(ctx, tenant, id)
	if errors.Is(err, ErrNotFound) {
		return nil, huma.Error404NotFound("there is no such operation; ended ones are forgotten after a week")
	}
	if err != nil {
		return nil, refused(err)
	}
	return operationOf(d), nil
}

type movedAnswer struct{ Body moved }

type moved struct {
	Blocks int   `json:"blocks"`
	Bytes  int64 `json:"bytes"`
}

func movedOr(m kv.Moved, err error) (*movedAnswer, error) {
	if err != nil {
		return nil, refused(err)
	}
	return &movedAnswer{moved{m.Blocks, m.Bytes}}, nil
}

func (r *Registry) prefetch(ctx context.Context, in *idInput) (*movedAnswer, error) {
	return movedOr(r.Prefetch(ctx, auth.From(ctx).Tenant, in.ID))
}

// AgentPath names an agent of any tenant.
type AgentPath struct {
	Tenant string `path:"tenant"`
	ID     string `path:"id"`
}

type adminPage struct {
	Page
	Tenant     string    `query:"tenant"`
	UsedBefore time.Time `query:"used_before"`
	UsedAfter  time.Time `query:"used_after"`
}

func (r *Registry) adminList(ctx context.Context, in *adminPage) (*pageAnswer, error) {
	return r.listed(ctx, in.Page, Filter{Tenant: in.Tenant, UsedBefore: in.UsedBefore, UsedAfter: in.UsedAfter}, true)
}

func (r *Registry) adminShow(ctx context.Context, in *AgentPath) (*agentAnswer, error) {
	record, err := r.Get(ctx, in.Tenant, in.ID)
	if err != nil {
		return nil, refused(err)
	}
	return r.shown(record, true), nil
}

type evictInput struct {
	AgentPath
	Body *struct {
		To string `json:"to,omitempty" doc:"disk, or object for object storage" enum:"disk,object"`
	}
}

func (r *Registry) adminEvict(ctx context.Context, in *evictInput) (*movedAnswer, error) {
	if in.Body != nil && in.Body.To != "" && !r.hasTier(in.Body.To) {
		return nil, huma.Error409Conflict("this server has no tier " + in.Body.To + "; it has " + strings.Join(r.tiers(), ", "))
	}
	return movedOr(r.Evict(ctx, in.Tenant, in.ID))
}

func (r *Registry) tiers() (names []string) {
	for _, h := range r.cfg.Memory.Holdings(nil) {
		names = append(names, h.Tier)
	}
	return names
}

func (r *Registry) hasTier(name string) bool {
	for _, tier := range r.tiers() {
		if tier == name {
			return true
		}
	}
	return false
}

func (r *Registry) adminPrefetch(ctx context.Context, in *AgentPath) (*movedAnswer, error) {
	return movedOr(r.Prefetch(ctx, in.Tenant, in.ID))
}

type retainInput struct {
	AgentPath
	Body struct {
		TTL float64 `json:"ttl_seconds" minimum:"0" maximum:"3155760000" doc:"0 ends the retention"`
	}
}

func (r *Registry) adminRetain(ctx context.Context, in *retainInput) (*agentAnswer, error) {
	until := time.Time{}
	if in.Body.TTL > 0 {
		until = time.Now().Add(seconds(in.Body.TTL)).UTC()
	}
	record, err := r.Retain(ctx, in.Tenant, in.ID, until)
	if err != nil {
		return nil, refused(err)
	}
	return r.shown(record, true), nil
}

func (r *Registry) adminDelete(ctx context.Context, in *AgentPath) (*operationAnswer, error) {
	return r.removed(ctx, in.Tenant, in.ID)
}

func (r *Registry) adminOperation(ctx context.Context, in *operationInput) (*operationAnswer, error) {
	return r.shownOperation(ctx, "", in.Operation)
}
