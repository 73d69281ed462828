package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/platform/hub"
)

// keptModel is a model in the hub's cache.
type keptModel struct {
	ID           string `json:"id"`
	Path         string `json:"path"`
	Bytes        int64  `json:"bytes"`
	Architecture string `json:"architecture,omitempty"`
	Quantisation string `json:"quantisation,omitempty"`
	Context      int    `json:"context,omitempty"`
	Problem      string `json:"problem,omitempty"` // why it can't be loaded
}

// keptModels lists what the cache has, a GGUF of a repository as a model of its own.
func keptModels(h *hub.Hub) ([]keptModel, error) {
	kept, err := h.Kept()
	models := []keptModel{}
	for _, k := range kept {
		models = append(models, modelsIn(k)...)
	}
	return models, err
}

// keptInCache is keptModels of the hub that the environment names.
func keptInCache() ([]keptModel, error) {
	h, err := hubWith(nil)
	if err != nil {
		return nil, err
	}
	return keptModels(h)
}

func modelsIn(k hub.Kept) (models []keptModel) {
	id := k.Repository
	if !slices.Contains(k.Revisions, "main") {
		id += "@" + k.Commit
	}
	files, err := hub.FilesIn(k.Folder)
	if err != nil {
		return []keptModel{{ID: id, Path: k.Folder, Problem: err.Error()}}
	}
	paths := pathsOf(files)
	isFolder := slices.Contains(paths, "config.json")
	for _, f := range files {
		if strings.EqualFold(filepath.Ext(f.Path), ".gguf") {
			models = append(models, describeKept(id+":"+f.Path, filepath.Join(k.Folder, filepath.FromSlash(f.Path)), f.Size, nil))
		}
	}
	if isFolder && (len(models) == 0 || slices.ContainsFunc(paths, isSafetensors)) {
		_, err := weights.Choose(paths, "")
		models = append(models, describeKept(id, k.Folder, bytesOf(files), err))
	}
	return models
}

func isSafetensors(path string) bool { return strings.HasSuffix(path, ".safetensors") }

// bytesOf is how much the files of a folder take, GGUFs beside them left out.
func bytesOf(files []hub.File) (sum int64) {
	for _, f := range files {
		if !strings.EqualFold(filepath.Ext(f.Path), ".gguf") {
			sum += f.Size
		}
	}
	return sum
}

// describeKept opens the model to tell what it is, unless it is known to be incomplete.
func describeKept(id, path string, bytes int64, problem error) keptModel {
	m := keptModel{ID: id, Path: path, Bytes: bytes}
	w, err := weights.Open(path)
	if err == nil {
		m.Architecture, m.Quantisation, m.Context = w.Config.Family, w.Quantisation(), w.Config.Context
		err = w.Close()
	}
	if problem == nil {
		problem = err
	}
	if problem != nil {
		m.Problem = problem.Error()
	}
	return m
}
