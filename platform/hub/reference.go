package hub

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Reference names a repository and one of its revisions.
type Reference struct {
	Repository string // owner/name
	Revision   string // a branch, a tag or a commit
}

// File is a file of a repository, as the hub lists it.
type File struct {
	Path   string // with slashes
	Size   int64
	Digest string // SHA-256 of the contents, or the SHA-1 by which git names them
}

var (
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$`)
	revisionName   = regexp.MustCompile(`^[A-Za-z0-9][\w./+-]{0,199}$`)
	commitName     = regexp.MustCompile(`^[0-9a-f]{40}$`)
	digestName     = regexp.MustCompile(`^([0-9a-f]{64}|[0-9a-f]{40})$`)
)

// Parse reads owner/name, owner/name@revision, and either with :pick behind it, by which the caller chooses
// among the files.
func Parse(id string) (ref Reference, pick string, err error) {
	rest, pick, hasPick := strings.Cut(id, ":")
	repository, revision, hasRevision := strings.Cut(rest, "@")
	if !hasRevision {
		revision = "main"
	}
	if !repositoryName.MatchString(repository) || strings.Contains(repository, "--") || strings.Contains(repository, "..") {
		return ref, "", fmt.Errorf("%q is not the name of a repository (owner/name, owner/name@revision, owner/name:file)", id)
	}
	if !revisionName.MatchString(revision) || !fs.ValidPath(revision) {
		return ref, "", fmt.Errorf("%q names no revision that a repository can have behind its @", id)
	}
	if hasPick && pick == "" {
		return ref, "", fmt.Errorf("%q names no file behind its colon", id)
	}
	return Reference{repository, revision}, pick, nil
}

func (r Reference) String() string {
	if r.Revision == "main" {
		return r.Repository
	}
	return r.Repository + "@" + r.Revision
}

// folderName is what the cache calls the repository's folder.
func (r Reference) folderName() string {
	return folderPrefix + strings.ReplaceAll(r.Repository, "/", "--")
}

const folderPrefix = "models--"

// RepositoryOf is the repository whose snapshot or file in a cache a path is, or "".
func RepositoryOf(file string) string {
	for dir := filepath.Clean(file); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		name, ours := strings.CutPrefix(filepath.Base(filepath.Dir(filepath.Dir(dir))), folderPrefix)
		if filepath.Base(filepath.Dir(dir)) == "snapshots" && ours {
			return strings.Replace(name, "--", "/", 1)
		}
	}
	return ""
}

// check refuses what a file of a repository can't be.
func (f File) check() error {
	switch {
	case !fs.ValidPath(f.Path) || f.Path == "." || strings.ContainsAny(f.Path, "\\\x00") || path.Clean(f.Path) != f.Path:
		return fmt.Errorf("the hub lists a file %q, a name that leads out of its folder or is none; it is not fetched", f.Path)
	case f.Size < 0 || f.Size > 1<<46:
		return fmt.Errorf("the hub says that %s has %d bytes", f.Path, f.Size)
	case !digestName.MatchString(f.Digest):
		return fmt.Errorf("the hub tells no digest of %s, so that it could not be checked; name another hub in HF_ENDPOINT", f.Path)
	}
	return nil
}
