// Package api answers operators over HTTP about API keys.
package api

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/modules/keys"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// Config is what the API is built on.
type Config struct {
	Router *httpapi.Router
	Keys   *keys.Keys
	Log    *slog.Logger
}

// API answers for the keys.
type API struct {
	keys *keys.Keys
	log  *slog.Logger
}

// Register adds the module's operations to the router.
func Register(cfg Config) {
	a, api := &API{cfg.Keys, cfg.Log}, cfg.Router.API()
	huma.Register(api, operation("adminCreateApiKey", http.MethodPost, "", "Make an API key, which is told this once", 201), a.create)
	huma.Register(api, operation("adminListApiKeys", http.MethodGet, "", "List API keys, those of the settings first", 200), a.list)
	huma.Register(api, operation("adminGetApiKey", http.MethodGet, "/{id}", "What is known of an API key", 200), a.show)
	huma.Register(api, operation("adminRevokeApiKey", http.MethodDelete, "/{id}", "Revoke an API key, and cut the requests that use it", 200), a.revoke)
}

func operation(id, method, path, summary string, status int) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/admin/api-keys" + path, Summary: summary, DefaultStatus: status, Tags: []string{"admin"},
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
	}
}

// APIKey is a key as operators see it.
type APIKey struct { //nolint:revive // the name is that of its schema
	ID        string       `json:"id" example:"key_06cb7c8h00vq1m2e3r4t5u6i7o"`
	Name      string       `json:"name,omitempty" doc:"For people"`
	Prefix    string       `json:"prefix,omitempty" doc:"How the key begins; missing for one of the settings"`
	Tenant    string       `json:"tenant" example:"default"`
	Scopes    []auth.Scope `json:"scopes" nullable:"false" enum:"messages,agents,admin"`
	Status    string       `json:"status" enum:"active,expired,revoked"`
	Bootstrap string       `json:"bootstrap,omitempty" doc:"The setting that it comes from; such a key can't be revoked here"`
	Created   *time.Time   `json:"created_at,omitempty" doc:"Missing for one of the settings"`
	Expires   *time.Time   `json:"expires_at,omitempty"`
	Revoked   *time.Time   `json:"revoked_at,omitempty"`
	Used      *time.Time   `json:"last_used_at,omitempty" doc:"Written every minute; missing for one of the settings"`
}

// NewAPIKey is a key that was just made.
type NewAPIKey struct {
	APIKey
	Secret string `json:"key" doc:"The key itself, as clients send it. Nobody can tell it later"`
}

// APIKeyPage is a part of the list of keys.
type APIKeyPage struct { //nolint:revive // as above
	Keys []APIKey `json:"api_keys" nullable:"false"`
	Next string   `json:"next_cursor,omitempty" doc:"Missing on the last page"`
}

func viewOf(k keys.Key) APIKey {
	view := APIKey{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Tenant: k.Tenant, Scopes: k.Scopes, Status: "active", Bootstrap: k.Variable,
		Created: unlessZero(k.Created), Expires: unlessZero(k.Expires), Revoked: unlessZero(k.Revoked), Used: unlessZero(k.Used),
	}
	switch {
	case view.Revoked != nil:
		view.Status = "revoked"
	case view.Expires != nil && !time.Now().Before(k.Expires):
		view.Status = "expired"
	}
	return view
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// WantedAPIKey is a key that is to be made.
type WantedAPIKey struct {
	Name    string       `json:"name,omitempty" maxLength:"200" doc:"For people: whose key it is, and what for"`
	Tenant  string       `json:"tenant,omitempty" default:"default" doc:"Whose memory it reaches: 1 to 256 bytes of UTF-8, no control characters"`
	Scopes  []auth.Scope `json:"scopes,omitempty" nullable:"false" enum:"messages,agents,admin" maxItems:"16" doc:"What it may be used for; messages and agents without any"`
	Expires time.Time    `json:"expires_at,omitempty" doc:"When it ends by itself; never without it"`
}

type createInput struct{ Body WantedAPIKey }

type createdAnswer struct{ Body NewAPIKey }

func (a *API) create(ctx context.Context, in *createInput) (*createdAnswer, error) {
	wanted := keys.Wanted{Name: in.Body.Name, Tenant: in.Body.Tenant, Scopes: in.Body.Scopes, Expires: in.Body.Expires}
	if err := check(wanted); err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	if len(wanted.Scopes) == 0 {
		wanted.Scopes = []auth.Scope{keys.Messages, keys.Agents}
	}
	made, secret, err := a.keys.Create(ctx, wanted)
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	a.log.InfoContext(ctx, "api_key_created", "key", made.ID, "tenant", made.Tenant, "scopes", keys.JoinScopes(made.Scopes), "by", auth.From(ctx).Key)
	return &createdAnswer{NewAPIKey{viewOf(made), secret}}, nil
}

func check(w keys.Wanted) error {
	if err := httpapi.CheckID("the tenant", w.Tenant); err != nil {
		return err
	}
	if w.Name != "" {
		if err := httpapi.CheckID("the name", w.Name); err != nil {
			return err
		}
	}
	if !w.Expires.IsZero() && !w.Expires.After(time.Now()) {
		return errors.New("expires_at lies in the past: " + w.Expires.Format(time.RFC3339))
	}
	if w.Expires.Year() > lastYear {
		return errors.New("expires_at lies too far in the future; leave it out for a key that never expires")
	}
	return nil
}

// lastYear is the last one whose times a database holds.
const lastYear = 2261

type listInput struct {
	Tenant string `query:"tenant" doc:"Only this tenant's"`
	Cursor string `query:"cursor" doc:"Where to go on: next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type listAnswer struct{ Body APIKeyPage }

func (a *API) list(ctx context.Context, in *listInput) (*listAnswer, error) {
	after, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	if err != nil || in.Cursor != "" && len(after) == 0 {
		return nil, huma.Error400BadRequest("the cursor is not one that a list returned")
	}
	page, next, err := a.keys.List(ctx, keys.Filter{Tenant: in.Tenant, After: string(after), Limit: in.Limit})
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	answer := &listAnswer{APIKeyPage{Keys: []APIKey{}, Next: base64.RawURLEncoding.EncodeToString([]byte(next))}}
	for _, k := range page {
		answer.Body.Keys = append(answer.Body.Keys, viewOf(k))
	}
	return answer, nil
}

type idInput struct {
	ID string `path:"id" example:"key_06cb7c8h00vq1m2e3r4t5u6i7o"`
}

type keyAnswer struct{ Body APIKey }

func (a *API) show(ctx context.Context, in *idInput) (*keyAnswer, error) {
	k, err := a.keys.Get(ctx, in.ID)
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	return &keyAnswer{viewOf(k)}, nil
}

func (a *API) revoke(ctx context.Context, in *idInput) (*keyAnswer, error) {
	k, err := a.keys.Revoke(ctx, in.ID)
	if errors.Is(err, keys.ErrBootstrap) {
		return nil, huma.Error409Conflict("this key comes from " + k.Variable + ": take it out of that setting of every node and restart them")
	}
	if err != nil {
		return nil, a.refused(ctx, err)
	}
	a.log.InfoContext(ctx, "api_key_revoked", "key", k.ID, "tenant", k.Tenant, "by", auth.From(ctx).Key)
	return &keyAnswer{viewOf(k)}, nil
}

// refused puts an error into the form of an answer. What went wrong inside is for the log.
func (a *API) refused(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, keys.ErrNotFound):
		return huma.Error404NotFound("there is no such API key")
	case errors.Is(err, keys.ErrFirst):
		return huma.Error409Conflict(keys.ErrFirst.Error())
	case errors.Is(err, context.Canceled):
		return huma.NewError(499, "the client left")
	}
	a.log.WarnContext(ctx, "api_keys_request_failed", "error", err.Error())
	return huma.Error503ServiceUnavailable("API keys can't be read or written now; retry later, the server's log tells more under this request id")
}
