package hub

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// repository is a repository's folder in the cache. All names are looked up in root, which no link leads out of.
type repository struct {
	folder string
	root   *os.Root
}

// openRepository makes the folder if it isn't there.
func (h *Hub) openRepository(ref Reference) (*repository, error) {
	folder := filepath.Join(h.Cache, ref.folderName())
	err := os.MkdirAll(folder, 0o755)
	if err != nil {
		return nil, fmt.Errorf("make a folder in the hub's cache: %w; set HF_HUB_CACHE to a folder that can be written", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"blobs", "refs", "snapshots"} {
		if err := root.MkdirAll(name, 0o755); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return &repository{folder, root}, nil
}

// snapshot is where the files of a commit are.
func (r *repository) snapshot(commit string) string {
	return filepath.Join(r.folder, "snapshots", commit)
}

func blobName(f File) string { return "blobs/" + f.Digest }

// hasBlob tells whether the whole file is there.
func (r *repository) hasBlob(f File) bool {
	info, err := r.root.Stat(blobName(f))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// allocated is how many bytes a download that broke off has on the disk.
func (r *repository) allocated(f File) int64 {
	info, err := r.root.Stat(blobName(f) + piecesSuffix)
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return 0
}

// link names a blob in the snapshot of the commit, by a relative link as other clients make it.
func (r *repository) link(commit string, f File) error {
	name := path.Join("snapshots", commit, f.Path)
	target := strings.Repeat("../", strings.Count(name, "/")) + blobName(f)
	if now, err := r.root.Readlink(name); err == nil && now == target {
		return nil
	}
	if err := r.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	draft := blobName(f) + ".link"
	if err := r.root.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.root.Symlink(target, draft); err != nil {
		return err
	}
	return r.root.Rename(draft, name)
}

// writeRef notes which commit the revision was, so that it is found without the hub.
func (r *repository) writeRef(revision, commit string) error {
	if revision == commit {
		return nil
	}
	name := path.Join("refs", revision)
	if err := r.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	draft := "blobs/" + rand.Text() + ".ref"
	if err := r.root.WriteFile(draft, []byte(commit), 0o644); err != nil {
		return err
	}
	return r.root.Rename(draft, name)
}

// Find is the folder of the revision's snapshot in the cache, whole or not, by what the last pull of any client
// noted. The hub is not asked. The error wraps fs.ErrNotExist where nothing is there.
func (h *Hub) Find(ref Reference) (string, error) {
	commit := ref.Revision
	if !commitName.MatchString(commit) {
		raw, err := readSmall(filepath.Join(h.Cache, ref.folderName(), "refs", filepath.FromSlash(ref.Revision)))
		if err != nil {
			return "", err
		}
		commit = strings.TrimSpace(raw)
	}
	if !commitName.MatchString(commit) {
		return "", fmt.Errorf("find %s in %s: its ref names no commit: %w", ref, h.Cache, fs.ErrNotExist)
	}
	folder := filepath.Join(h.Cache, ref.folderName(), "snapshots", commit)
	info, err := os.Stat(folder)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "find", Path: folder, Err: fs.ErrNotExist}
	}
	return folder, err
}

func readSmall(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(io.LimitReader(f, 4096))
	return string(raw), errors.Join(err, f.Close())
}

// FilesIn lists the files of a snapshot as far as their contents are there.
func FilesIn(folder string) (files []File, err error) {
	err = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // a link to nothing is a file that is not there
		}
		relative, err := filepath.Rel(folder, name)
		files = append(files, File{Path: filepath.ToSlash(relative), Size: info.Size()})
		return err
	})
	return files, err
}
