package openai

import (
	"net/http"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// Clients of both APIs ask for models at the same path, so what is answered has the fields of both.
type (
	model struct {
		ID            string `json:"id"`
		Object        string `json:"object" enum:"model"`
		Created       int64  `json:"created"`
		OwnedBy       string `json:"owned_by"`
		Type          string `json:"type" enum:"model"`
		DisplayName   string `json:"display_name"`
		CreatedAt     string `json:"created_at" format:"date-time"`
		ContextLength int    `json:"context_length" doc:"Most tokens of prompt and answer together"`
		MaxContext    int    `json:"max_context_length"`
		MaxOutput     int    `json:"max_output_tokens"`
	}
	modelList struct {
		Object  string  `json:"object" enum:"list"`
		Data    []model `json:"data" nullable:"false"`
		HasMore bool    `json:"has_more"`
		FirstID *string `json:"first_id" nullable:"true"`
		LastID  *string `json:"last_id" nullable:"true"`
	}
)

const (
	owner = "agent-memory"
	// unknownSince is told as the time of a model's making: its files don't tell it.
	unknownSince = "1970-01-01T00:00:00Z"
	// forClaude begins the id under which Claude Code lists the loaded model: it shows only such ids.
	forClaude = "claude-"
)

// models are the ids that a client may send: the loaded model's own, that for Claude Code, the
// operator's aliases, and those of models that a request would have loaded.
func (a *API) models() ([]model, error) {
	spec := a.cfg.Service.Model()
	if spec.Name == "" {
		return nil, a.cfg.Service.Absence()
	}
	short := strings.ToLower(spec.Name[strings.LastIndex(spec.Name, "/")+1:])
	ids := []string{spec.Name, forClaude + strings.Join(strings.Fields(short), "-")}
	for _, alias := range a.cfg.Service.Aliases() {
		if !strings.HasSuffix(alias, "*") {
			ids = append(ids, alias)
		}
	}
	var all []model
	for _, id := range ids {
		all = append(all, modelOf(id, spec))
	}
	for _, other := range a.cfg.Service.Others() {
		all = append(all, modelOf(other.Name, other))
	}
	return all, nil
}

func modelOf(id string, spec engine.Spec) model {
	return model{
		ID: id, Object: "model", OwnedBy: owner, Type: "model", DisplayName: spec.Name, CreatedAt: unknownSince,
		ContextLength: spec.Context, MaxContext: spec.Context, MaxOutput: spec.Context,
	}
}

// listModels answers GET /v1/models. There are few: limits and cursors of clients leave nothing out.
func (a *API) listModels(w http.ResponseWriter, r *http.Request) {
	all, err := a.models()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	httpapi.WriteJSON(w, http.StatusOK, "application/json", modelList{
		Object: "list", Data: all, FirstID: &all[0].ID, LastID: &all[len(all)-1].ID,
	})
}

// getModel answers GET /v1/models/{id}. An id may have slashes.
func (a *API) getModel(w http.ResponseWriter, r *http.Request) {
	all, err := a.models()
	id := r.PathValue("id")
	if err == nil {
		for _, m := range all {
			if m.ID == id {
				httpapi.WriteJSON(w, http.StatusOK, "application/json", m)
				return
			}
		}
		err = messages.Refuse(messages.UnknownModel, "model: %s is not loaded here; GET /v1/models tells which is", httpapi.Clip(id))
	}
	a.fail(w, r, err)
}
