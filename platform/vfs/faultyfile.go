package vfs

import "errors"

// faultyFile is an open file of Faulty. Closing never fails and counts for nothing.
type faultyFile struct {
	fs    *Faulty
	inner File
	name  string
}

// Write implements io.Writer.
func (f *faultyFile) Write(p []byte) (n int, err error) {
	reached := false
	err = f.fs.operate(OpWrite, f.name, func() (err error) {
		reached = true
		n, err = f.inner.Write(p)
		return err
	})
	if !reached {
		half, cause := f.inner.Write(p[:len(p)/2])
		return half, errors.Join(err, cause)
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *faultyFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.fs.operate(OpRead, f.name, func() (err error) {
		n, err = f.inner.ReadAt(p, off)
		return err
	})
	return n, err
}

// Size implements File.
func (f *faultyFile) Size() (size int64, err error) {
	return answer(f.fs, OpSize, f.name, func(string) (int64, error) { return f.inner.Size() })
}

// Sync implements File.
func (f *faultyFile) Sync() error { return f.fs.operate(OpSync, f.name, f.inner.Sync) }

// Close implements io.Closer.
func (f *faultyFile) Close() error { return f.inner.Close() }
