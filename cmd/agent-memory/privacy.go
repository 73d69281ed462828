package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// warnOfOpenFolders warns of what lies in the cache folder already and that others than this process's user
// can reach: the server makes it private, and leaves what somebody made otherwise as it is.
func (s *server) warnOfOpenFolders() {
	dir := s.cfg.Agent.CacheDir
	for _, name := range []string{dir, filepath.Join(dir, blocksDir), filepath.Join(dir, recordsFile), filepath.Join(dir, secretFile)} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		s.deps.log.Warn("cache_dir_not_private", "path", name, "mode", fmt.Sprintf("%04o", info.Mode().Perm()),
			"advice", "others can reach the memory of agents and the secret that protects it: chmod go-rwx "+name)
	}
}
