//go:build linux || darwin

package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// OS is the operating system's file system.
type OS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Create implements FS. Only the process's user may read the file.
func (OS) Create(name string) (File, error) {
	return opened(os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600))
}

// Open implements FS. A pipe without a writer is opened without waiting, and then refused.
func (OS) Open(name string) (File, error) { return opened(openRegular(name, os.O_RDONLY)) }

func opened(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// openRegular opens what must be a regular file. Symbolic links and sockets fail at once.
func openRegular(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, how|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, orNotRegular(name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// orNotRegular is what an attempt to open a name failed with: the error, or ErrNotRegular if it is that of no
// file. A socket and a device say so in many ways. What lay there may be moved or replaced meanwhile.
func orNotRegular(name string, err error) error {
	info, statErr := os.Lstat(name)
	switch {
	case errors.Is(statErr, fs.ErrNotExist):
		return statErr
	case statErr == nil && !info.Mode().IsRegular(), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENXIO):
		return &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	return err
}

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir implements FS. Only the process's user may enter the folder.
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o700) }

// SetModTime implements FS.
func (OS) SetModTime(name string, t time.Time) error { return os.Chtimes(name, time.Time{}, t) }

// Stat implements FS.
func (OS) Stat(name string) (Info, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return Info{}, err
	}
	return describe(info), nil
}

// List implements FS.
func (OS) List(dir string) ([]Info, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(entries))
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, describe(info))
	}
	return infos, nil
}

// describe takes the physical size from the kernel's count of 512-byte blocks.
func describe(info fs.FileInfo) Info {
	physical := info.Size()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		physical = stat.Blocks * 512
	}
	return Info{Name: info.Name(), Dir: info.IsDir(), Size: info.Size(), Physical: physical, ModTime: info.ModTime()}
}

// SyncDir implements FS.
func (OS) SyncDir(dir string) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Free implements FS.
func (OS) Free(dir string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}

// Lock implements FS by flock. The file is open for reading only: one that is open for writing would keep an
// administrator from remounting the volume read-only.
func (OS) Lock(name string) (Lock, error) {
	f, err := openRegular(name, os.O_RDONLY|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
	}
	return osLock{f}, nil
}

type osLock struct{ *os.File }

// Held implements Lock.
func (l osLock) Held() error {
	mine, err := l.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(l.Name())
	if err == nil && os.SameFile(mine, there) {
		return nil
	}
	return errors.Join(&fs.PathError{Op: "check lock", Path: l.Name(), Err: ErrLockLost}, err)
}
