package models

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// modelUnload says of which model the memory is to be given back.
type modelUnload struct {
	ID     string `json:"id,omitempty" maxLength:"4096" doc:"If set, nothing is unloaded but a model of this id: by which it was loaded, or its name"`
	Within int    `json:"within_seconds,omitempty" minimum:"1" maximum:"86400" default:"300" doc:"For how long to wait for the requests that are under way"`
}

// unloadWithin is how long requests that are under way are waited for where the request has no body.
const unloadWithin = 300

type unloadInput struct{ Body *modelUnload }

// unloadedModel is what was unloaded.
type unloadedModel struct {
	ID   string `json:"id" doc:"By which it may be loaded again"`
	Name string `json:"name"`
}

type unloadAnswer struct{ Body unloadedModel }

func (m *module) unload(ctx context.Context, in *unloadInput) (*unloadAnswer, error) {
	wanted := modelUnload{Within: unloadWithin}
	if in.Body != nil {
		wanted = *in.Body
	}
	if err := m.cfg.Absence(); err != nil {
		return nil, failure(err)
	}
	was := unloadedModel{m.cfg.Shelf.Current(), m.cfg.Spec().Name}
	if wanted.ID != "" && wanted.ID != was.ID && wanted.ID != was.Name {
		return nil, huma.Error409Conflict(fmt.Sprintf("%s is not loaded, but %s is", wanted.ID, was.ID))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(wanted.Within)*time.Second)
	defer cancel()
	err := m.cfg.Shelf.Unload(ctx)
	m.changed()
	if err != nil {
		return nil, failure(err)
	}
	return &unloadAnswer{Body: was}, nil
}
