package disk

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// real is a tier that runs on a real folder.
type real struct {
	testing.TB
	*Tier
	dir string

	mu       sync.Mutex
	degraded int
	vanished map[kv.Key]bool
}

func newReal(t *testing.T) *real {
	r := &real{TB: t, dir: filepath.Join(t.TempDir(), "cache", "blocks"), vanished: map[kv.Key]bool{}}
	note := func(do func()) { r.mu.Lock(); defer r.mu.Unlock(); do() }
	r.Tier = running(t, Config{
		FS: vfs.OS{}, Dir: r.dir, Budget: 8 << 20, ProbeMin: time.Millisecond, Sweep: time.Hour,
		Listener: Listener{
			Degraded: func(error) { note(func() { r.degraded++ }) },
			Vanished: func(e kv.Ref) { note(func() { r.vanished[e.Key] = true }) },
		},
	})
	return r
}

func (r *real) eventually(what string, is func() bool) {
	r.Helper()
	for began := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			r.Fatalf("waited in vain for %s: %+v", what, r.Status())
		}
	}
}

// store stores a block, again if the first attempt only finds out that something is wrong.
func (r *real) store(s stored) {
	r.Helper()
	r.eventually("a store", func() bool { return r.Put(r.Context(), s.Entry, s.data) == nil })
}

func (r *real) wantRead(s stored) {
	r.Helper()
	if got, err := r.Get(r.Context(), s.Ref, nil); err != nil || !bytes.Equal(got, s.data) {
		r.Errorf("block %s reads %d bytes, %v", s.Key, len(got), err)
	}
}

// wantWhole checks that the ledger is that of the folder, that the tier is healthy, and that nobody else can have the
// folder.
func (r *real) wantWhole() {
	r.Helper()
	r.eventually("a healthy tier with a true ledger", func() bool {
		usage, err := vfs.Usage(vfs.OS{}, r.dir)
		return err == nil && r.Status().Bytes == usage && r.Status().Healthy
	})
	if _, err := Open(Config{FS: vfs.OS{}, Dir: r.dir, Budget: 8 << 20, Header: tiertest.ToyHeader}); !errors.Is(err, vfs.ErrLocked) {
		r.Errorf("another process can take the folder: %v", err)
	}
}

// Whatever is removed beneath a running tier is made again. What is gone is forgotten, what is left is found, and
// stores go on: none of 40 blocks, in as many folders, stays unstored.
func TestWhatIsRemovedBeneathARunningTierIsMadeAgain(t *testing.T) {
	for what, gone := range map[string]func(r *real, a stored) []string{
		"the version":         func(*real, stored) []string { return []string{currentVersion} },
		"a model's folder":    func(_ *real, a stored) []string { return []string{currentVersion + "/" + a.Fingerprint.String()} },
		"a tenant's folder":   func(_ *real, a stored) []string { return []string{path.Dir(path.Dir(a.Path()))} },
		"a prefix":            func(_ *real, a stored) []string { return []string{path.Dir(a.Path())} },
		"a block":             func(_ *real, a stored) []string { return []string{a.Path()} },
		"the temp folder":     func(*real, stored) []string { return []string{tempDir} },
		"the quarantine":      func(*real, stored) []string { return []string{quarantineDir} },
		"the lock":            func(*real, stored) []string { return []string{lockName} },
		"all that lies there": func(*real, stored) []string { return []string{currentVersion, tempDir, quarantineDir, lockName} },
		"the folder":          func(*real, stored) []string { return []string{"."} },
		"the cache folder":    func(*real, stored) []string { return []string{".."} },
	} {
		t.Run(what, func(t *testing.T) {
			r := newReal(t)
			a, b := toy(kv.Root, 1), toy(kv.Root, 2)
			r.store(a)
			r.store(b)
			r.must(r.Quarantine(t.Context(), b.Ref, errors.New("test")))
			for _, rel := range gone(r, a) {
				r.must(os.RemoveAll(filepath.Join(r.dir, rel)))
			}
			_, err := os.Stat(filepath.Join(r.dir, a.Path()))
			isGone := err != nil
			if _, err := r.Get(t.Context(), a.Ref, nil); isGone != errors.Is(err, kv.ErrNotFound) {
				t.Errorf("read: %v", err)
			}
			for seed := range uint64(40) {
				r.store(toy(kv.Root, 10+seed))
			}
			if r.catalog.has(a.Space, a.Key) == isGone || r.vanished[a.Key] != isGone {
				t.Errorf("gone: %v, in the index: %v", isGone, !isGone)
			}
			r.store(a)
			r.wantRead(a)
			r.must(r.Quarantine(t.Context(), a.Ref, errors.New("test")))
			r.store(a)
			r.wantWhole()
		})
	}
}

func (r *real) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// Nobody asks for what is gone: housekeeping finds out.
func TestHousekeepingForgetsWhatIsGone(t *testing.T) {
	r := newReal(t)
	for seed := range uint64(20) {
		r.store(toy(kv.Root, seed))
	}
	r.must(os.RemoveAll(filepath.Join(r.dir, currentVersion)))
	r.sweep(t.Context())
	if n := r.Status().Blocks; n != 0 || len(r.vanished) != 20 {
		t.Errorf("%d blocks are left, of %d it is told that they are gone", n, len(r.vanished))
	}
	r.wantWhole()
}

// A folder that is moved away and back is taken in again.
func TestAFolderMovedAwayAndBackIsFoundAgain(t *testing.T) {
	r := newReal(t)
	a, b := toy(kv.Root, 1), toy(kv.Root, 2)
	r.store(a)
	r.must(os.Rename(r.dir, r.dir+".away"))
	r.store(b)
	r.must(os.RemoveAll(r.dir))
	r.must(os.Rename(r.dir+".away", r.dir))
	r.store(toy(kv.Root, 3))
	r.eventually("the first block", func() bool { return r.catalog.has(a.Space, a.Key) })
	r.wantRead(a)
	r.wantWhole()
}

// While another process has the folder, this one stores nothing there and says why; when it ends, this one goes on.
func TestAFolderThatAnotherProcessTookIsLeftAlone(t *testing.T) {
	r := newReal(t)
	r.store(toy(kv.Root, 1))
	r.must(os.RemoveAll(r.dir))
	other := openReal(t, Config{FS: vfs.OS{}, Dir: r.dir, Budget: 8 << 20, Header: tiertest.ToyHeader})
	theirs, mine := toy(kv.Root, 2), toy(kv.Root, 3)
	r.must(other.Put(t.Context(), theirs.Entry, theirs.data))
	if err := r.Put(t.Context(), mine.Entry, mine.data); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("stored in another's folder: %v", err)
	}
	if err := r.Delete(t.Context(), theirs.Ref); err == nil {
		t.Error("removed another's block")
	}
	if status := r.Status(); status.Healthy || !strings.Contains(status.Problem, "another process") {
		t.Errorf("%+v", status)
	}
	r.must(other.Close())
	r.store(mine)
	r.eventually("the other's block", func() bool { return r.catalog.has(theirs.Space, theirs.Key) })
	r.wantWhole()
}

// mischief puts something at a name.
var mischief = map[string]func(name string) error{
	"grown":  func(name string) error { return errors.Join(touch(name), os.Truncate(name, 1<<40)) },
	"empty":  func(name string) error { return errors.Join(touch(name), os.Truncate(name, 0)) },
	"shrunk": func(name string) error { return errors.Join(touch(name), os.Truncate(name, 100)) },
	"pipe":   func(name string) error { return errors.Join(os.RemoveAll(name), syscall.Mkfifo(name, 0o600)) },
	"link":   func(name string) error { return errors.Join(os.RemoveAll(name), os.Symlink("/dev/zero", name)) },
	"loop":   func(name string) error { return errors.Join(os.RemoveAll(name), os.Symlink(name, name)) },
	"folder": func(name string) error { return errors.Join(os.RemoveAll(name), os.MkdirAll(name+"/x/y", 0o700)) },
	"socket": func(name string) error {
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			return err
		}
		short := filepath.Join(dir, "s") // a socket's name has few bytes
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return errors.Join(l.Close(), os.RemoveAll(name), os.Rename(short, name), os.RemoveAll(dir))
	},
}

func touch(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Only a regular file of the size that was stored is a block. Anything else in its place is damage: found at once,
// moved into quarantine, and no reason to refuse stores.
func TestOnlyRegularFilesOfTheRightSizeAreBlocks(t *testing.T) {
	for what, put := range mischief {
		t.Run(what, func(t *testing.T) {
			r := newReal(t)
			a, b, c := toy(kv.Root, 1), toy(kv.Root, 2), toy(kv.Root, 3)
			for _, s := range []stored{a, b} {
				r.store(s)
				r.must(put(filepath.Join(r.dir, s.Path())))
			}
			if _, err := r.Get(t.Context(), a.Ref, nil); !errors.Is(err, kv.ErrDamaged) {
				t.Errorf("read: %v", err)
			}
			r.must(r.Quarantine(t.Context(), a.Ref, errors.New("test")))
			r.must(os.MkdirAll(filepath.Dir(filepath.Join(r.dir, c.Path())), 0o700))
			r.must(put(filepath.Join(r.dir, c.Path()))) // where a block will be stored
			r.store(c)
			r.sweep(t.Context()) // finds the second
			if r.catalog.has(b.Space, b.Key) || !r.Quarantined(b.Ref) || r.degraded > 0 {
				t.Errorf("known: %v, quarantined: %v, degraded %d times", r.catalog.has(b.Space, b.Key), r.Quarantined(b.Ref), r.degraded)
			}
			for _, s := range []stored{a, b, c} {
				r.store(s)
				r.wantRead(s)
			}
			r.must(r.Delete(t.Context(), a.Ref)) // with what lies in quarantine
			r.wantWhole()
		})
	}
}

// The same at the start, and in the place of every folder and of the lock.
func TestAStartAmongWhatIsNoFile(t *testing.T) {
	for what, put := range mischief {
		for _, rel := range []string{lockName, tempDir, quarantineDir, currentVersion, "block", "tmp/1", "quarantine/1"} {
			if what == "folder" && (rel == tempDir || rel == quarantineDir || rel == currentVersion) {
				continue // as it should be
			}
			t.Run(what+" at "+path.Base(rel), func(t *testing.T) {
				dir := t.TempDir()
				first := openReal(t, Config{FS: vfs.OS{}, Dir: dir, Budget: 8 << 20, Header: tiertest.ToyHeader})
				a, b := toy(kv.Root, 1), toy(kv.Root, 2)
				at := filepath.Join(dir, rel)
				if rel == "block" {
					at = filepath.Join(dir, a.Path())
				}
				err := errors.Join(first.Put(t.Context(), a.Entry, a.data), first.Put(t.Context(), b.Entry, b.data), first.Close())
				if rel == tempDir || rel == quarantineDir || rel == currentVersion {
					err = errors.Join(err, os.RemoveAll(at))
				}
				if err := errors.Join(err, put(at)); err != nil {
					t.Fatal(err)
				}
				r := &real{TB: t, dir: dir}
				r.Tier = running(t, Config{FS: vfs.OS{}, Dir: dir, Budget: 8 << 20, ProbeMin: time.Millisecond})
				r.store(a)
				r.store(b)
				r.wantRead(a)
				r.wantRead(b)
				r.must(r.Delete(t.Context(), a.Ref))
				if status := r.Status(); !status.Healthy {
					t.Errorf("%+v", status)
				}
			})
		}
	}
}
