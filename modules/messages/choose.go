package messages

import (
	"context"
	"errors"
	"io/fs"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// choose has the model loaded that a request names, where requests may choose.
func (s *Service) choose(ctx context.Context, model string) error {
	if s.cfg.Switch == nil {
		return nil
	}
	if s.isAlias(model) {
		model = ""
	}
	err := s.cfg.Switch.Enter(ctx, model)
	if errors.Is(err, fs.ErrNotExist) {
		return Refuse(UnknownModel, "model: %s is not here; GET /v1/models tells which are", httpapi.Clip(model))
	}
	return err
}

// Others are the models that are not loaded, but would be for a request that names one: their ids and contexts.
func (s *Service) Others() []engine.Spec {
	if s.cfg.Others == nil {
		return nil
	}
	return s.cfg.Others()
}
