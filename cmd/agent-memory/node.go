package main

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// nodeFile names this node among those that share a database: whoever has the folder has the blocks in it.
const nodeFile = "node-id"

// nodeName is the name in the cache folder, which is made if there is none. Without a folder the node has a
// new name each time, and nothing on disk.
func (s *server) nodeName() string {
	dir := s.cfg.Agent.CacheDir
	if dir == "" {
		return rand.Text()
	}
	text, err := os.ReadFile(filepath.Join(dir, nodeFile))
	if name := strings.TrimSpace(string(text)); err == nil && regexp.MustCompile(`^[A-Z0-9]{16,64}$`).MatchString(name) {
		return name
	}
	name := rand.Text()
	if err := writeWhole(dir, nodeFile, name+"\n"); err != nil {
		s.deps.log.Warn("node_id_not_kept", "error", err.Error(), "note", "after a restart this node counts as a new one")
	}
	return name
}

// writeWhole writes a small file, for this user only, in a way that leaves the old one or the new one whole.
func writeWhole(dir, name, text string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
