// Package models shows operators which model is loaded and which could be, and lets them put another one in its place.
package models

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// AvailableModel is a model that could be loaded.
type AvailableModel struct {
	ID           string `json:"id" doc:"By which it is loaded"`
	Bytes        int64  `json:"bytes"`
	Architecture string `json:"architecture,omitempty"`
	Quantisation string `json:"quantisation,omitempty"`
	Context      int    `json:"context_length,omitempty"`
	Problem      string `json:"problem,omitempty" doc:"Why it can't be loaded"`
}

// ErrUnfit is of a model that can't be loaded here: it does not fit, or its files are none.
var ErrUnfit = errors.New("this model can't be loaded here")

// Shelf has models.
type Shelf interface {
	// Available are the models that lie on this machine where they are known to.
	Available() ([]AvailableModel, error)
	// Current is the id by which the loaded model was named.
	Current() string
	// Load puts the model that an id names in the place of the loaded one. Where that can be known before, an error leaves the
	// loaded one undisturbed: fs.ErrNotExist if there is none of this id, ErrUnfit for one that can't be read.
	Load(ctx context.Context, id string, holds bool) error
	// Unload gives back all that the loaded model takes, and loads none.
	Unload(ctx context.Context) error
}

// Config describes the module.
type Config struct {
	Router *httpapi.Router
	Shelf  Shelf
	// Spec is of the loaded model, and Absence tells why there is none.
	Spec    func() engine.Spec
	Absence func() error
	// Switch, if set, is told of what operators change.
	Switch *Switch
}

type module struct{ cfg Config }

// Register adds the module's operations to the router.
func Register(cfg Config) {
	m := &module{cfg}
	api := cfg.Router.API()
	show := operation("adminListModels", http.MethodGet, "", "The model that is loaded, and those that could be")
	huma.Register(api, show, m.list)
	load := operation("adminLoadModel", http.MethodPost, "/load", "Put another model in the place of the loaded one")
	load.Description = "Requests that are under way are finished first, and new ones are answered with 503 and retry-after, or wait. What agents said to the " +
		"old model stays in the lower tiers and is found again when it is loaded again. A model that can't be loaded leaves the old one. The answer comes when requests are taken again."
	huma.Register(api, load, m.load)
	unload := operation("adminUnloadModel", http.MethodPost, "/unload", "Give back all memory that the loaded model takes")
	unload.Description = "Requests that are under way are finished first, and new ones are answered with 503 and retry-after until a model is loaded: the node isn't ready. " +
		"What agents said stays in the lower tiers. A restart loads the model of the settings."
	huma.Register(api, unload, m.unload)
}

func operation(id, method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/admin/models" + path, Summary: summary, Tags: []string{"admin"},
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
	}
}

// loadedModel is the model that answers.
type loadedModel struct {
	ID          string `json:"id" doc:"By which it was named"`
	Name        string `json:"name" doc:"By which clients may name it"`
	Context     int    `json:"context_length"`
	Vocabulary  int    `json:"vocabulary"`
	BytesOfKV   int64  `json:"kv_bytes_per_token"`
	Fingerprint string `json:"fingerprint" doc:"What its KV depends on besides tokens"`
}

type modelShelf struct {
	Loaded    *loadedModel     `json:"loaded,omitempty" doc:"Missing while one is being loaded, and while there is none"`
	State     string           `json:"state" enum:"loaded,loading,unloaded" doc:"unloaded: an operator wanted it so"`
	Available []AvailableModel `json:"available" nullable:"false" doc:"In the hub's cache; files and folders elsewhere are loaded by their paths"`
}

type listAnswer struct{ Body modelShelf }

func (m *module) list(context.Context, *struct{}) (*listAnswer, error) {
	available, err := m.cfg.Shelf.Available()
	if err != nil {
		return nil, huma.Error503ServiceUnavailable(err.Error())
	}
	loaded := m.loaded()
	return &listAnswer{modelShelf{loaded, m.state(loaded), append([]AvailableModel{}, available...)}}, nil
}

func (m *module) state(loaded *loadedModel) string {
	switch {
	case loaded != nil:
		return "loaded"
	case errors.Is(m.cfg.Absence(), engine.ErrUnloaded):
		return "unloaded"
	}
	return "loading"
}

func (m *module) loaded() *loadedModel {
	spec := m.cfg.Spec()
	if spec.Name == "" {
		return nil
	}
	return &loadedModel{
		ID: m.cfg.Shelf.Current(), Name: spec.Name, Context: spec.Context, Vocabulary: spec.Vocabulary,
		BytesOfKV: spec.BlockBytes / engine.BlockTokens, Fingerprint: spec.Fingerprint.String(),
	}
}

// changed tells the switch, if there is one.
func (m *module) changed() {
	if m.cfg.Switch != nil {
		m.cfg.Switch.Changed()
	}
}

// modelLoad names the model that is to be loaded.
type modelLoad struct {
	ID     string `json:"id" minLength:"1" maxLength:"4096" doc:"A repository, a folder or a .gguf file on the server's machine, as SEMANTIC_MLX_MODEL_ID"`
	Hold   bool   `json:"hold,omitempty" doc:"Requests that come meanwhile wait; else they are answered with 503 and retry-after"`
	Within int    `json:"within_seconds,omitempty" minimum:"1" maximum:"86400" default:"300" doc:"For how long to wait for the requests that are under way"`
}

type loadInput struct{ Body modelLoad }

type loadAnswer struct{ Body loadedModel }

func (m *module) load(ctx context.Context, in *loadInput) (*loadAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(in.Body.Within)*time.Second)
	defer cancel()
	err := m.cfg.Shelf.Load(ctx, in.Body.ID, in.Body.Hold)
	m.changed()
	if err != nil {
		return nil, failure(err)
	}
	if loaded := m.loaded(); loaded != nil {
		return &loadAnswer{*loaded}, nil
	}
	return nil, huma.Error503ServiceUnavailable("another model is being loaded")
}

// failure is what an operator is told of an error.
func failure(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, ErrUnfit):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, engine.ErrSwapping):
		return huma.Error409Conflict(err.Error() + "; ask again when that is done")
	case errors.Is(err, engine.ErrUnloaded):
		return huma.Error409Conflict(err.Error() + "; there is nothing to unload")
	case errors.Is(err, context.DeadlineExceeded):
		return huma.Error504GatewayTimeout(err.Error() + "; the loaded model stays. Raise within_seconds, or try when less is asked")
	}
	return huma.Error503ServiceUnavailable(err.Error())
}
