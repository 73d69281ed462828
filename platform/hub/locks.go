package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// ErrInUse is a repository that a process runs or fetches.
var ErrInUse = errors.New("a running process uses it")

// locks is the folder in which clients of the hub lock what they fetch.
func (h *Hub) locks(ref Reference) string { return filepath.Join(h.Cache, ".locks", ref.folderName()) }

// lock makes this process the only one that fetches the file, as soon as others are done with it.
func (p *pulling) lock(ctx context.Context, f File) (io.Closer, error) {
	name := filepath.Join(p.hub.locks(p.ref), f.Digest+".lock")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	for {
		lock, err := vfs.OS{}.Lock(name)
		if err == nil {
			err = lock.Held()
			if err == nil {
				return lock, nil
			}
			_ = lock.Close() // the file was replaced; the one that is there now counts
		}
		if !errors.Is(err, vfs.ErrLocked) && !errors.Is(err, vfs.ErrLockLost) {
			return nil, err
		}
		p.report(Progress{File: f.Path, Done: p.done.Load(), Total: p.total.Load(), IsWaiting: true})
		if err := p.hub.Pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// Use keeps the repository from being removed until the returned function is called, or the process ends.
func (h *Hub) Use(repository string) (release func(), err error) { return h.hold(repository, true) }

// hold takes the repository's lock together with others, or alone.
func (h *Hub) hold(repository string, isShared bool) (release func(), err error) {
	name := filepath.Join(h.locks(Reference{Repository: repository}), "repository.lock")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("make a folder in the hub's cache: %w; set HF_HUB_CACHE to a folder that can be written", err)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if isShared {
		how = syscall.LOCK_SH
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		_ = f.Close() // the first error tells
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, fmt.Errorf("lock %s: %w", repository, err)
	}
	return func() { _ = f.Close() }, nil
}
