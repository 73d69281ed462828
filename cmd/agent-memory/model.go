package main

import (
	"log/slog"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/model"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// openModel loads the model at path, if it fits.
func openModel(cfg config.MLX, path string, progress func(phase string, done float64), log *slog.Logger) (engine.Model, error) {
	w, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }() // it was only read
	c := modelConfig(cfg, w)
	c.Progress = progress
	progress("estimating the memory", 0)
	f, err := fitOf(cfg, c, systemRoot())
	if err != nil {
		return nil, err
	}
	if err := f.check(cfg, log); err != nil {
		return nil, err
	}
	progress("naming the weights", 0)
	if c.Digest, err = weights.Digest(path); err != nil {
		return nil, err
	}
	return model.Open(c)
}

// modelConfig is how the settings have a model run.
func modelConfig(cfg config.MLX, w *weights.Model) model.Config {
	return model.Config{Weights: w, KVBits: cfg.KVBits, Device: cfg.Device, Dtype: cfg.DType, ISA: cfg.CPUISA}
}
