package main

import (
	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/model"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// openModel loads the model at path.
func openModel(cfg config.MLX, path string, progress func(phase string, done float64)) (engine.Model, error) {
	w, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Close() }() // it was only read
	progress("naming the weights", 0)
	digest, err := weights.Digest(path)
	if err != nil {
		return nil, err
	}
	return model.Open(model.Config{Weights: w, Digest: digest, KVBits: cfg.KVBits, Device: cfg.Device, Dtype: cfg.DType, ISA: cfg.CPUISA, Progress: progress})
}
