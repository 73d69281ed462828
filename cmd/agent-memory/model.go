package main

import (
	"errors"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/config"
)

// openModel loads the model that the settings name.
func openModel(config.MLX, func(phase string, done float64)) (engine.Model, error) {
	return nil, errors.New("this build has no model runtime")
}

// openText loads the tokenizer and the chat template of the model that the settings name.
func openText(config.MLX) (messages.Prompter, error) {
	return nil, errors.New("this build has no tokenizer")
}
