package engine_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
)

func TestWhatAModelNotesOfItsLoadingIsLogged(t *testing.T) {
	var log bytes.Buffer
	model := enginetest.New(enginetest.Config{Notes: []string{"two tensors became wide", "one is missing"}})
	_, stop := start(t, model, func(c *engine.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	stop()
	for _, want := range []string{`msg=model_note model=memory note="two tensors became wide"`, `note="one is missing"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log.String())
		}
	}
}
