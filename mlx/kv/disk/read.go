package disk

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// reader opens and checks files of blocks.
type reader struct{ cfg *Config }

// load reads a whole file: the block's, if the index has it.
func (r *reader) load(rel string, b *block, buf []byte) ([]byte, error) {
	f, size, err := r.open(rel)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := r.checkSize(f, rel, size, b); err != nil {
		return nil, err
	}
	buf = slices.Grow(buf[:0], int(size))[:size]
	if n, err := f.ReadAt(buf, 0); n < len(buf) {
		return nil, orTruncated(n, size, err)
	}
	return buf, nil
}

// open opens a file and tells its size. What is no regular file is no block.
func (r *reader) open(rel string) (vfs.File, int64, error) {
	f, err := r.cfg.FS.Open(r.cfg.at(rel))
	if errors.Is(err, vfs.ErrNotRegular) {
		return nil, 0, fmt.Errorf("%w: %w", kv.ErrDamaged, err)
	}
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}

// orTruncated is what a read that came back short failed with: the file has shrunk if the disk has no other
// reason.
func orTruncated(n int, size int64, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return damaged("%d of %d bytes", n, size)
	}
	return fmt.Errorf("%d of %d bytes: %w", n, size, err)
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{kv.ErrDamaged}, args...)...)
}

// checkSize checks that an open file has the size that its block must have.
func (r *reader) checkSize(f vfs.File, rel string, size int64, b *block) error {
	if size > r.cfg.Budget {
		return damaged("a file of %d bytes, more than all may take", size)
	}
	if b == nil {
		_, err := r.header(f, rel, size)
		return err
	}
	if size != b.Bytes {
		return damaged("a file of %d bytes, where %d were stored", size, b.Bytes)
	}
	return nil
}

// entry reads a header. ErrDamaged: the disk gave the bytes, and they are no header of the block named so.
func (r *reader) entry(rel string) (e kv.Entry, err error) {
	f, size, err := r.open(rel)
	if err != nil {
		return e, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return r.header(f, rel, size)
}

// header is entry for an open file.
func (r *reader) header(f vfs.File, rel string, size int64) (e kv.Entry, err error) {
	watched := &watchedReader{inner: f}
	e, err = r.cfg.Header(watched, size)
	if cause := watched.failure.Load(); cause != nil {
		return e, *cause
	}
	if errors.Is(err, kv.ErrVersion) {
		return e, err
	}
	if err != nil {
		return e, fmt.Errorf("%w: %w", kv.ErrDamaged, err)
	}
	if e.Path() != rel {
		return e, fmt.Errorf("%w: its header names another block", kv.ErrDamaged)
	}
	e.Bytes = size
	return e, nil
}

// watchedReader tells failures of the disk from damage of what is on it.
type watchedReader struct {
	inner   io.ReaderAt
	failure atomic.Pointer[error]
}

// ReadAt implements io.ReaderAt.
func (w *watchedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.inner.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		w.failure.Store(&err)
	}
	return n, err
}
