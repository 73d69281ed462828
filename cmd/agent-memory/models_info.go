package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/weights"
)

type modelsInfo struct {
	printed
	ID string `arg:"" optional:"" help:"Repository in the hub's cache, folder or .gguf file. Default: the model that the settings name."`
}

// modelInfo is what info tells. Sizes are bytes.
type modelInfo struct {
	ID             string `json:"id"`
	Path           string `json:"path"`
	Name           string `json:"name"`
	Architecture   string `json:"architecture"`
	Quantisation   string `json:"quantisation"`
	Layers         int    `json:"layers"`
	Context        int    `json:"context"`
	File           int64  `json:"file_bytes"`
	Weights        int64  `json:"weights_bytes"`
	Widened        int64  `json:"widened_bytes"` // of the weights: quantised in the file, bf16 in memory
	KVToken        int64  `json:"kv_bytes_per_token"`
	KVBudget       int64  `json:"kv_budget_bytes"`
	Chunk          int64  `json:"chunk_bytes"`
	Tables         int64  `json:"tables_bytes"`
	Loading        int64  `json:"loading_bytes"`
	Needed         int64  `json:"needed_bytes"`
	Free           int64  `json:"free_bytes,omitempty"` // absent where the system does not tell
	FreeOf         string `json:"free_of,omitempty"`
	LongestContext int    `json:"longest_context"` // of one conversation, by the budget and the memory that is free
	Fits           bool   `json:"fits"`
	Problem        string `json:"problem,omitempty"`
}

// Run prints what the model is and takes.
func (c modelsInfo) Run(cfg *config.Config, to streams) error {
	if err := cfg.Complete(); err != nil {
		return err
	}
	if c.ID == "" {
		c.ID = cfg.MLX.ModelID
	}
	path, err := findHere(c.ID)
	if err != nil {
		return err
	}
	info, err := describeModel(cfg.MLX, c.ID, path, systemRoot())
	if err != nil {
		return err
	}
	return c.print(to, info, info.write)
}

// findHere is the path of a model that is on this machine.
func findHere(id string) (string, error) {
	if _, err := os.Stat(id); err == nil {
		return id, nil
	}
	m, err := parseModel(id)
	if err != nil {
		return "", err
	}
	h, err := hubWith(nil)
	if err != nil {
		return "", err
	}
	path, err := m.find(h)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is not in %s as a whole; fetch it with `%s models pull %s`", id, h.Cache, name, id)
	}
	return path, err
}

func describeModel(cfg config.MLX, id, path string, root fs.FS) (info modelInfo, err error) {
	w, err := weights.Open(path)
	if err != nil {
		return info, err
	}
	defer func() { _ = w.Close() }() // it was only read
	f, err := fitOf(cfg, modelConfig(cfg, w), root)
	if err != nil {
		return info, err
	}
	problem := f.problem()
	return modelInfo{
		ID: id, Path: path, Name: w.Config.Name, Architecture: w.Config.Family, Quantisation: w.Quantisation(),
		Layers: len(w.Config.Layers), Context: f.Context, File: w.Bytes(), Weights: f.Weights, Widened: f.Widened, KVToken: f.Token(),
		KVBudget: f.budget, Chunk: f.Chunk, Tables: f.Tables, Loading: f.Loading, Needed: f.Needed(f.budget),
		Free: f.free.Bytes, FreeOf: f.free.Of, LongestContext: f.longest(), Fits: problem == "", Problem: problem,
	}, nil
}

// longest is the longest conversation that the budget and the free memory take.
func (f fit) longest() int {
	budget := f.budget
	if f.free.Of != "" {
		budget = min(budget, max(f.free.Bytes-f.Needed(0), 0))
	}
	return f.LongestContext(budget)
}

// write prints a table for people.
func (i modelInfo) write(t *tabwriter.Writer) {
	row := func(what, value string) { fmt.Fprintf(t, "%s\t%s\n", what, value) }
	row("model", i.Name)
	row("path", i.Path)
	row("architecture", fmt.Sprintf("%s, %d layers", i.Architecture, i.Layers))
	row("quantisation", i.Quantisation)
	row("weights in the file", size(i.File))
	row("weights in memory", size(i.Weights))
	if i.Widened > 0 {
		row("  of these become bf16", size(i.Widened))
	}
	row("KV of a token", fmt.Sprintf("%d bytes", i.KVToken))
	row("KV budget", size(i.KVBudget))
	row("to compute a chunk", size(i.Chunk))
	row("tables", size(i.Tables))
	row("needed in all", size(i.Needed))
	if i.FreeOf != "" {
		row("free", fmt.Sprintf("%s (%s)", size(i.Free), i.FreeOf))
	}
	row("context of the model", fmt.Sprintf("%d tokens", i.Context))
	row("longest context that fits", fmt.Sprintf("%d tokens", i.LongestContext))
	if i.Fits {
		row("fits", "yes")
	} else {
		row("fits", "no: "+i.Problem)
	}
}
