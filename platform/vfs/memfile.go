package vfs

import (
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// memFile is an open file of Mem. It dies with a crash.
type memFile struct {
	fs     *Mem
	node   *memNode
	name   string
	boot   int
	closed bool // guarded by Mem.mu
}

func (f *memFile) operate(op string, do func() error) error {
	return f.fs.operate(op, f.name, func() error {
		if f.closed || f.boot != f.fs.boot {
			return fs.ErrClosed
		}
		return do()
	})
}

// Write implements io.Writer. A full volume takes what fits.
func (f *memFile) Write(p []byte) (n int, err error) {
	err = f.operate("write", func() error {
		for n < len(p) {
			step := min(len(p)-n, memBlock-len(f.node.now.data)%memBlock)
			if len(f.node.now.data)%memBlock == 0 && f.fs.isFullFor(memBlock) {
				return syscall.ENOSPC
			}
			f.node.now.data = append(f.node.now.data, p[n:n+step]...)
			n += step
		}
		f.node.now.time = f.fs.cfg.Clock()
		return nil
	})
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *memFile) ReadAt(p []byte, off int64) (n int, err error) {
	end := false
	err = f.operate("read", func() error {
		if f.node.dir {
			return syscall.EISDIR
		}
		n = copy(p, f.node.now.data[min(off, int64(len(f.node.now.data))):])
		end = n < len(p)
		return nil
	})
	if err == nil && end {
		err = io.EOF
	}
	return n, err
}

// Size implements File.
func (f *memFile) Size() (size int64, err error) {
	err = f.operate("size", func() error {
		size = int64(len(f.node.now.data))
		return nil
	})
	return size, err
}

// Sync implements File.
func (f *memFile) Sync() error {
	return f.operate("sync", func() error {
		f.node.durable.data = slices.Clone(f.node.now.data)
		f.node.durable.time = f.node.now.time
		return nil
	})
}

// Close implements io.Closer. It is no operation of the disk, so it works without power.
func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.closed = true
	return nil
}
