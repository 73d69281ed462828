//go:build linux || darwin

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Between an attempt to open a link or a socket and the look at what it is, another may have moved it away or put a
// file in its place: neither is a failure of the disk.
func TestWhatIsReplacedMeanwhileIsNoFailure(t *testing.T) {
	folder := t.TempDir()
	file, gone := filepath.Join(folder, "file"), filepath.Join(folder, "gone")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, failure := range []error{syscall.ELOOP, syscall.ENXIO} {
		if err := orNotRegular(gone, failure); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, and then gone: %v", failure, err)
		}
		if err := orNotRegular(file, failure); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%v, and then a file: %v", failure, err)
		}
	}
	if err := orNotRegular(file, syscall.EIO); !errors.Is(err, syscall.EIO) {
		t.Errorf("a file that can't be read: %v", err)
	}
}
