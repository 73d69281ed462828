package vfs

import (
	"io/fs"
	"strings"
	"sync"
	"time"
)

// Kind says what an operation does.
type Kind string

// The kinds of operations that Faulty tells apart.
const (
	OpCreate  Kind = "create"
	OpOpen    Kind = "open"
	OpRename  Kind = "rename"
	OpRemove  Kind = "remove"
	OpMkdir   Kind = "mkdir"
	OpList    Kind = "list"
	OpStat    Kind = "stat"
	OpSetTime Kind = "set time"
	OpSyncDir Kind = "sync folder"
	OpFree    Kind = "free"
	OpLock    Kind = "lock"
	OpHeld    Kind = "held"
	OpWrite   Kind = "write"
	OpRead    Kind = "read"
	OpSize    Kind = "size"
	OpSync    Kind = "sync"
)

// Op is one operation.
type Op struct {
	Kind Kind
	Name string // the file or folder; for a rename the new name
	N    int    // its place among all operations of this Faulty, from 1
}

// Fault decides on an operation before it happens: nil lets it go on, an error is what it fails with. It may
// wait, to delay the operation. A write that fails leaves half of its bytes behind, as on a full disk.
type Fault func(Op) error

// Faulty is a file system whose operations fail as a test wants.
type Faulty struct {
	inner FS
	after func(Op)

	mu    sync.Mutex
	fault Fault
	n     int
}

// NewFaulty stands before another file system. After each operation it calls after, which may be nil.
func NewFaulty(inner FS, after func(Op)) *Faulty { return &Faulty{inner: inner, after: after} }

// Inject sets what decides on the operations from now on; nil lets all happen.
func (f *Faulty) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Operations is the number of operations so far.
func (f *Faulty) Operations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// FailNth fails the operation with that number.
func FailNth(n int, err error) Fault {
	return func(op Op) error {
		if op.N == n {
			return err
		}
		return nil
	}
}

// FailMatching fails every operation of a kind ("" for all) whose name contains a part.
func FailMatching(kind Kind, part string, err error) Fault {
	return func(op Op) error {
		if (kind == "" || kind == op.Kind) && strings.Contains(op.Name, part) {
			return err
		}
		return nil
	}
}

// operate runs one operation unless its fault fails it.
func (f *Faulty) operate(kind Kind, name string, do func() error) error {
	op, fault := f.next(kind, name)
	if fault != nil {
		if err := fault(op); err != nil {
			return &fs.PathError{Op: string(kind), Path: name, Err: err}
		}
	}
	err := do()
	if f.after != nil {
		f.after(op)
	}
	return err
}

func (f *Faulty) next(kind Kind, name string) (Op, Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return Op{Kind: kind, Name: name, N: f.n}, f.fault
}

// Create implements FS.
func (f *Faulty) Create(name string) (File, error) {
	return f.open(OpCreate, name, f.inner.Create)
}

// Open implements FS.
func (f *Faulty) Open(name string) (File, error) { return f.open(OpOpen, name, f.inner.Open) }

func (f *Faulty) open(kind Kind, name string, open func(string) (File, error)) (file File, err error) {
	err = f.operate(kind, name, func() (err error) {
		file, err = open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &faultyFile{fs: f, inner: file, name: name}, nil
}

// Rename implements FS.
func (f *Faulty) Rename(from, to string) error {
	return f.operate(OpRename, to, func() error { return f.inner.Rename(from, to) })
}

// Remove implements FS.
func (f *Faulty) Remove(name string) error {
	return f.operate(OpRemove, name, func() error { return f.inner.Remove(name) })
}

// Mkdir implements FS.
func (f *Faulty) Mkdir(name string) error {
	return f.operate(OpMkdir, name, func() error { return f.inner.Mkdir(name) })
}

// List implements FS.
func (f *Faulty) List(dir string) ([]Info, error) { return answer(f, OpList, dir, f.inner.List) }

// Stat implements FS.
func (f *Faulty) Stat(name string) (Info, error) { return answer(f, OpStat, name, f.inner.Stat) }

// Free implements FS.
func (f *Faulty) Free(dir string) (int64, error) { return answer(f, OpFree, dir, f.inner.Free) }

// Lock implements FS.
func (f *Faulty) Lock(name string) (Lock, error) {
	lock, err := answer(f, OpLock, name, f.inner.Lock)
	if err != nil {
		return nil, err
	}
	return faultyLock{f, lock, name}, nil
}

type faultyLock struct {
	fs    *Faulty
	inner Lock
	name  string
}

// Held implements Lock.
func (l faultyLock) Held() error { return l.fs.operate(OpHeld, l.name, l.inner.Held) }

// Close implements Lock.
func (l faultyLock) Close() error { return l.inner.Close() }

// answer runs an operation that returns something.
func answer[T any](f *Faulty, kind Kind, name string, ask func(string) (T, error)) (out T, err error) {
	err = f.operate(kind, name, func() (err error) {
		out, err = ask(name)
		return err
	})
	return out, err
}

// SetModTime implements FS.
func (f *Faulty) SetModTime(name string, t time.Time) error {
	return f.operate(OpSetTime, name, func() error { return f.inner.SetModTime(name, t) })
}

// SyncDir implements FS.
func (f *Faulty) SyncDir(dir string) error {
	return f.operate(OpSyncDir, dir, func() error { return f.inner.SyncDir(dir) })
}
