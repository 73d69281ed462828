package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Kept is a snapshot of a repository that the cache has.
type Kept struct {
	Repository string
	Commit     string
	Folder     string
	Revisions  []string // that were this commit when they were fetched
}

// Kept lists the snapshots in the cache, in the order of their repositories' names.
func (h *Hub) Kept() (all []Kept, err error) {
	folders, err := os.ReadDir(h.Cache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range folders {
		name, ours := strings.CutPrefix(f.Name(), folderPrefix)
		snapshots, serr := os.ReadDir(filepath.Join(h.Cache, f.Name(), "snapshots"))
		if !ours || serr != nil {
			continue // not a model's, or nothing that was ever whole
		}
		revisions := revisionsIn(filepath.Join(h.Cache, f.Name(), "refs"))
		for _, s := range snapshots {
			all = append(all, Kept{
				Repository: strings.Replace(name, "--", "/", 1), Commit: s.Name(),
				Folder: filepath.Join(h.Cache, f.Name(), "snapshots", s.Name()), Revisions: revisions[s.Name()],
			})
		}
	}
	return all, err
}

// revisionsIn reads refs: revisions by their commit.
func revisionsIn(folder string) map[string][]string {
	byCommit := map[string][]string{}
	_ = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error { // what can't be read has no name
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // see above
		}
		if raw, err := readSmall(name); err == nil {
			revision, _ := filepath.Rel(folder, name)
			commit := strings.TrimSpace(raw)
			byCommit[commit] = append(byCommit[commit], filepath.ToSlash(revision))
		}
		return nil
	})
	return byCommit
}

// Remove deletes all that the cache has of a repository. The error wraps ErrInUse while a process runs or fetches
// it, and fs.ErrNotExist where there is nothing.
func (h *Hub) Remove(ref Reference) error {
	folder := filepath.Join(h.Cache, ref.folderName())
	if _, err := os.Stat(folder); err != nil {
		return fmt.Errorf("remove %s: %w", ref.Repository, err)
	}
	release, err := h.hold(ref.Repository, false)
	if err != nil {
		return fmt.Errorf("remove %s: %w", ref.Repository, err)
	}
	defer release()
	if err := vfs.RemoveAll(vfs.OS{}, folder); err != nil {
		return fmt.Errorf("remove %s: %w", ref.Repository, err)
	}
	return nil
}

// Bytes is how much the cache's folder of a repository takes on the disk, downloads that broke off included.
func (h *Hub) Bytes(ref Reference) (sum int64) {
	blobs, err := vfs.OS{}.List(filepath.Join(h.Cache, ref.folderName(), "blobs"))
	if err != nil {
		return 0
	}
	for _, b := range blobs {
		sum += b.Physical
	}
	return sum
}
