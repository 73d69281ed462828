package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/model"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

// locate finds the model that the settings name: a path, or a repository that is fetched first.
func locate(ctx context.Context, cfg config.Config, progress func(string, float64)) (string, error) {
	if _, err := os.Stat(cfg.MLX.ModelID); err == nil {
		return cfg.MLX.ModelID, nil
	}
	return weights.Fetch(ctx, weights.Hub{
		Endpoint: os.Getenv("HF_ENDPOINT"), Token: os.Getenv("HF_TOKEN"),
		Folder: filepath.Join(cfg.Agent.CacheDir, "models"),
		Progress: func(file string, share float64) {
			progress("downloading "+file, share)
		},
	}, cfg.MLX.ModelID)
}

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
