package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/platform/hub"
)

// library finds models: files and folders of this machine, and repositories in the hub's cache, which are pulled
// where they are missing. What it found stays in use, so that nobody removes it, until release.
type library struct {
	mu   sync.Mutex
	held map[string]func() // by repository
}

// release lets go of all that was found.
func (l *library) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, release := range l.held {
		release()
	}
	l.held = nil
}

// locate returns the path of the model that an id names. A repository whose model is in the cache as a whole is
// taken as it is, and the hub is not asked; `models pull` brings it up to date.
func (l *library) locate(ctx context.Context, id string, progress func(phase string, done float64)) (string, error) {
	if _, err := os.Stat(id); err == nil {
		return id, nil
	}
	m, err := parseModel(id)
	if err != nil {
		return "", err
	}
	h, err := hubWith(func(p hub.Progress) { progress(phaseOf(p), share(p)) })
	if err != nil {
		return "", err
	}
	path, err := m.find(h)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = m.pull(ctx, h)
	}
	if err != nil {
		return "", err
	}
	return path, l.hold(h, m)
}

// hold keeps the repository from being removed. A cache that can't be written has no locks, and no removal.
func (l *library) hold(h *hub.Hub, m hubModel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[m.ref.Repository] != nil {
		return nil
	}
	release, err := h.Use(m.ref.Repository)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.held == nil {
		l.held = map[string]func(){}
	}
	l.held[m.ref.Repository] = release
	return nil
}

func phaseOf(p hub.Progress) string {
	if p.IsWaiting {
		return "waiting for another process that downloads " + p.File
	}
	return "downloading " + p.File
}

func share(p hub.Progress) float64 {
	if p.Total == 0 {
		return 0
	}
	return float64(p.Done) / float64(p.Total)
}

// hubWith is the hub that the environment names.
func hubWith(progress func(hub.Progress)) (*hub.Hub, error) {
	c, err := hub.FromEnvironment(os.Getenv)
	c.Progress = progress
	return hub.New(c), err
}

// hubModel is a model of a hub: a repository, and which of its files if it has several models.
type hubModel struct {
	id   string
	ref  hub.Reference
	pick string
}

func parseModel(id string) (m hubModel, err error) {
	m.id = id
	if m.ref, m.pick, err = hub.Parse(id); err != nil {
		err = fmt.Errorf("there is no such file or folder, and %w", err)
	}
	return m, err
}

// find is the model's path in the cache. The error wraps fs.ErrNotExist if it is not there as a whole.
func (m hubModel) find(h *hub.Hub) (string, error) {
	folder, err := h.Find(m.ref)
	if err != nil {
		return "", err
	}
	files, err := hub.FilesIn(folder)
	if err != nil {
		return "", err
	}
	choice, err := weights.Choose(pathsOf(files), m.pick)
	if err != nil {
		return "", fmt.Errorf("find %s in %s: %w: %w", m.id, folder, fs.ErrNotExist, err)
	}
	missing, err := choice.Missing(folder)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("find %s in %s: %v: %w", m.id, folder, missing, fs.ErrNotExist)
	}
	return choice.Path(folder), err
}

// pull brings the model into the cache.
func (m hubModel) pull(ctx context.Context, h *hub.Hub) (string, error) {
	var choice weights.Choice
	folder, err := h.Pull(ctx, m.ref, func(files []hub.File) (chosen []hub.File, err error) {
		if choice, err = weights.Choose(pathsOf(files), m.pick); err != nil {
			return nil, err
		}
		for _, name := range choice.Files {
			for _, f := range files {
				if f.Path == name {
					chosen = append(chosen, f)
				}
			}
		}
		return chosen, nil
	})
	if err != nil {
		return "", err
	}
	missing, err := choice.Missing(folder)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("pull %s: its index names %v, which the repository does not have", m.id, missing)
	}
	return choice.Path(folder), err
}

func pathsOf(files []hub.File) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
	}
	return paths
}
