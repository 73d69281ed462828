// Package vfs is the file system as far as a cache on disk needs it, with every step that makes a change
// durable spelled out: a file's bytes are durable after File.Sync, its name after SyncDir of the folder it
// lies in.
//
// OS is the real one. Mem lives in memory and can lose power: it keeps exactly what was made durable, or that
// and a random part of the rest, as real disks do. Faulty stands before another one and fails or delays
// operations. One conformance test holds OS and Mem to the same behaviour.
//
// Invariants: names are paths of the operating system; errors wrap those of package syscall, so that
// errors.Is tells ENOENT (fs.ErrNotExist), ENOSPC and the like apart, whichever implementation returned them;
// everything may be used from any goroutine. Mem's lock and Faulty's are leaves; nothing of a caller's runs
// under them but Mem's clock.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

// FS is a file system.
type FS interface {
	// Create makes a new file for writing. It fails with fs.ErrExist if the name is taken.
	Create(name string) (File, error)
	// Open opens a file for reading, and waits for nobody. It fails with ErrNotRegular if the name is that of
	// anything else: a folder, a symbolic link, a pipe, a socket, a device.
	Open(name string) (File, error)
	// Rename moves a file, over one that has the new name already.
	Rename(from, to string) error
	// Remove deletes a file or an empty folder.
	Remove(name string) error
	// Mkdir makes one folder. It fails with fs.ErrExist if the name is taken.
	Mkdir(name string) error
	// List describes what a folder holds, in the order of the names. What vanishes meanwhile is left out.
	List(dir string) ([]Info, error)
	// Stat describes a file or a folder. It does not follow a symbolic link.
	Stat(name string) (Info, error)
	// SetModTime changes the time of a file's last change.
	SetModTime(name string, t time.Time) error
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
	// Free is the number of bytes that an ordinary user can still write on the folder's volume.
	Free(dir string) (int64, error)
	// Lock takes the file for this process alone, and makes it if it isn't there. It fails with ErrLocked if
	// somebody has it, and with ErrNotRegular like Open. Closing gives it back; the end of the process does
	// too.
	Lock(name string) (Lock, error)
}

// Lock is a file that this process has for itself.
type Lock interface {
	io.Closer
	// Held fails if the name no longer leads to the file that is locked: then somebody else may lock what is
	// there.
	Held() error
}

// File is an open file: one made by Create takes bytes at its end, one from Open gives them at offsets.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	// Size is the number of bytes in the file.
	Size() (int64, error)
	// Sync makes the bytes written so far durable.
	Sync() error
}

// Info describes a file or a folder.
type Info struct {
	Name     string // without its folder
	Dir      bool
	Size     int64 // bytes in the file
	Physical int64 // bytes that it takes on the volume
	ModTime  time.Time
}

// Errors of an FS beside those of the operating system.
var (
	ErrLocked     = errors.New("locked by another process")
	ErrNotRegular = errors.New("not a regular file")
	ErrLockLost   = errors.New("the lock's file was removed or replaced")
)

// MkdirAll makes a folder and those above it as far as they are missing, durably.
func MkdirAll(in FS, dir string) error {
	err := in.Mkdir(dir)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		if err := MkdirAll(in, filepath.Dir(dir)); err != nil {
			return err
		}
		err = in.Mkdir(dir)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return in.SyncDir(filepath.Dir(dir))
}

// RemoveAll deletes a file, or a folder with all that lies in it. It follows no symbolic link.
func RemoveAll(in FS, name string) error {
	err := in.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) || !isNotEmpty(err) {
		return err
	}
	children, err := in.List(name)
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := RemoveAll(in, filepath.Join(name, child.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return in.Remove(name)
}

func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)
}

// Walk visits all that lies below a folder, folders before what they hold. Paths are relative to the folder,
// with slashes; the folder itself is ".". What vanishes meanwhile is left out. For a folder visit may return
// fs.SkipDir.
func Walk(in FS, dir string, visit func(path string, info Info) error) error {
	info, err := in.Stat(dir)
	if err != nil {
		return err
	}
	return walk(in, dir, ".", info, visit)
}

func walk(in FS, root, at string, info Info, visit func(string, Info) error) error {
	err := visit(at, info)
	if info.Dir && errors.Is(err, fs.SkipDir) {
		return nil
	}
	if err != nil || !info.Dir {
		return err
	}
	children, err := in.List(filepath.Join(root, at))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, child := range children {
		if err := walk(in, root, filepath.ToSlash(filepath.Join(at, child.Name)), child, visit); err != nil {
			return err
		}
	}
	return nil
}

// Usage is the number of physical bytes of a folder and of all below it.
func Usage(in FS, dir string) (total int64, err error) {
	err = Walk(in, dir, func(_ string, info Info) error {
		total += info.Physical
		return nil
	})
	return total, err
}
