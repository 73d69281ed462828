package disk

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// ownership is the lock by which the folder is this process's.
type ownership struct {
	cfg    *Config
	alarm  *alarm
	health *health

	mu   sync.Mutex // held while the folder is checked and taken again; never while a claim is waited for
	lock vfs.Lock   // nil while another process has the folder
}

// takeFolder makes the folder if it isn't there and takes its lock. Whatever has the lock's name without
// being a file is deleted: nobody can hold it.
func takeFolder(cfg *Config) (vfs.Lock, error) {
	if err := vfs.MkdirAll(cfg.FS, cfg.Dir); err != nil {
		return nil, fmt.Errorf("make its folder: %w", err)
	}
	name := filepath.Join(cfg.Dir, lockName)
	lock, err := cfg.FS.Lock(name)
	if errors.Is(err, vfs.ErrNotRegular) {
		if err = vfs.RemoveAll(cfg.FS, name); err == nil {
			lock, err = cfg.FS.Lock(name)
		}
	}
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%s is in use by another process; give each its own folder: %w", cfg.Dir, err)
	}
	return lock, err
}

// ensure makes sure that the folder is there and belongs to this process. Whoever deletes the folder deletes
// the lock with it; then ensure makes both again, unless another process was quicker.
func (o *ownership) ensure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lock != nil {
		err := o.lock.Held()
		if !errors.Is(err, vfs.ErrLockLost) {
			return err
		}
		o.cfg.Log.Warn("disk_folder_removed", "error", err.Error(), "note", "it is made again, and what is gone is forgotten")
		_ = o.lock.Close()
		o.lock = nil
	}
	lock, err := takeFolder(o.cfg)
	if err != nil {
		return err
	}
	o.lock = lock
	o.alarm.reportMissing()
	return nil
}

// require is ensure for callers that are about to change something: a failure degrades the tier.
func (o *ownership) require(doing string) error {
	if err := o.ensure(); err != nil {
		return o.health.fail(doing, 0, err)
	}
	return nil
}

func (o *ownership) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lock == nil {
		return nil
	}
	return o.lock.Close()
}
