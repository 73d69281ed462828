package actions

import (
	"context"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// AdminAction is an action as operators see it.
type AdminAction struct {
	At        time.Time `json:"at"`
	Key       string    `json:"api_key_id,omitempty" doc:"By which key; missing while the server asked for none"`
	Method    string    `json:"method" example:"DELETE"`
	Path      string    `json:"path" example:"/admin/agents/default/agent-1"`
	Status    int       `json:"status" doc:"Of the answer"`
	RequestID string    `json:"request_id"`
}

// AdminActionPage is a part of the list.
type AdminActionPage struct {
	Actions []AdminAction `json:"actions" nullable:"false" doc:"The latest first; they are remembered for 90 days"`
	Next    string        `json:"next_cursor,omitempty" doc:"Missing on the last page"`
}

// Register adds the module's operation to the router.
func (j *Journal) Register(router *httpapi.Router) {
	huma.Register(router.API(), huma.Operation{
		OperationID: "adminListActions", Method: http.MethodGet, Path: "/admin/actions", Tags: []string{"admin"},
		Summary:  "What operators changed, or tried to",
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
	}, j.list)
}

type listInput struct {
	Cursor string `query:"cursor" doc:"Where to go on: next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type listAnswer struct{ Body AdminActionPage }

func (j *Journal) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	before, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil {
		return nil, huma.Error400BadRequest("the cursor is not one that a list returned")
	}
	j.write(ctx) // what was done just now
	store := j.store.Load()
	if store == nil {
		return nil, huma.Error503ServiceUnavailable("the database is not open; the server's log has the actions")
	}
	page, err := (*store).List(ctx, string(before), in.Limit+1)
	if err != nil {
		j.log.WarnContext(ctx, "admin_actions_unreadable", "error", err.Error())
		return nil, huma.Error503ServiceUnavailable("the actions can't be read now; retry later, the server's log tells more under this request id")
	}
	answer := &listAnswer{AdminActionPage{Actions: []AdminAction{}}}
	if len(page) > in.Limit {
		page = page[:in.Limit]
		answer.Body.Next = base64.RawURLEncoding.EncodeToString([]byte(page[in.Limit-1].ID))
	}
	for _, a := range page {
		answer.Body.Actions = append(answer.Body.Actions, AdminAction{a.At, a.Key, a.Method, a.Path, a.Status, a.RequestID})
	}
	return answer, nil
}
