package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func put(t *testing.T, in FS, name, text string) {
	t.Helper()
	f, err := in.Create(name)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, errors.Join(err, f.Sync(), f.Close()))
}

func get(t *testing.T, in FS, name string) string {
	t.Helper()
	f, err := in.Open(name)
	must(t, err)
	size, err := f.Size()
	must(t, err)
	data := make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), data)
	must(t, errors.Join(err, f.Close()))
	return string(data)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// Every file system does the same.
func TestConformance(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (FS, string){
		"os":     func(t *testing.T) (FS, string) { return OS{}, t.TempDir() },
		"memory": func(t *testing.T) (FS, string) { return NewMem(MemConfig{}), "/" },
		"faulty": func(t *testing.T) (FS, string) { return NewFaulty(OS{}, nil), t.TempDir() },
	} {
		for subject, check := range map[string]func(t *testing.T, in FS, dir string){
			"files":   conformFiles,
			"folders": conformFolders,
			"errors":  conformErrors,
			"figures": conformFigures,
			"locks":   conformLocks,
		} {
			t.Run(name+"/"+subject, func(t *testing.T) {
				in, dir := open(t)
				check(t, in, dir)
			})
		}
	}
}

func conformFiles(t *testing.T, in FS, dir string) {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	put(t, in, a, "one")
	put(t, in, b, "two")
	f, err := in.Open(b)
	must(t, err)
	must(t, in.Rename(a, b))
	if got := get(t, in, b); got != "one" {
		t.Errorf("renamed file holds %q", got)
	}
	part := make([]byte, 4)
	if n, err := f.ReadAt(part, 1); n != 2 || err != io.EOF || string(part[:2]) != "wo" {
		t.Errorf("a file that was open and is gone reads %q, %v", part[:n], err)
	}
	must(t, f.Close())
	must(t, in.Remove(b))
	_, err = in.Open(b)
	wants(t, err, fs.ErrNotExist)
}

func conformFolders(t *testing.T, in FS, dir string) {
	deep := filepath.Join(dir, "x", "y", "z")
	must(t, MkdirAll(in, deep))
	must(t, MkdirAll(in, deep))
	put(t, in, filepath.Join(deep, "f"), "text")
	var paths []string
	must(t, Walk(in, dir, func(path string, _ Info) error {
		paths = append(paths, path)
		return nil
	}))
	if got, want := fmt.Sprint(paths), "[. x x/y x/y/z x/y/z/f]"; got != want {
		t.Errorf("walked %s, want %s", got, want)
	}
	if err := in.Remove(deep); err == nil {
		t.Error("a full folder was removed")
	}
	must(t, in.Remove(filepath.Join(deep, "f")))
	must(t, in.Remove(deep))
	must(t, in.SyncDir(filepath.Join(dir, "x", "y")))
}

func conformErrors(t *testing.T, in FS, dir string) {
	taken, none := filepath.Join(dir, "taken"), filepath.Join(dir, "none")
	put(t, in, taken, "")
	_, err := in.Create(taken)
	wants(t, err, fs.ErrExist)
	wants(t, in.Mkdir(taken), fs.ErrExist)
	wants(t, in.Mkdir(filepath.Join(none, "x")), fs.ErrNotExist)
	wants(t, in.Rename(none, taken), fs.ErrNotExist)
	wants(t, in.Rename(taken, filepath.Join(none, "x")), fs.ErrNotExist)
	wants(t, in.Remove(none), fs.ErrNotExist)
	wants(t, in.SetModTime(none, time.Now()), fs.ErrNotExist)
	wants(t, in.SyncDir(none), fs.ErrNotExist)
	_, err = in.Stat(none)
	wants(t, err, fs.ErrNotExist)
	_, err = in.List(none)
	wants(t, err, fs.ErrNotExist)
	_, err = in.Stat(filepath.Join(taken, "x"))
	wants(t, err, syscall.ENOTDIR)
	f, err := in.Open(taken)
	must(t, err)
	must(t, f.Close())
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a closed file reads: %v", err)
	}
}

func conformFigures(t *testing.T, in FS, dir string) {
	name := filepath.Join(dir, "f")
	put(t, in, name, string(make([]byte, 10_000)))
	then := time.Unix(1_700_000_000, 0)
	must(t, in.SetModTime(name, then))
	info, err := in.Stat(name)
	must(t, err)
	if info.Name != "f" || info.Dir || info.Size != 10_000 || info.Physical < 10_000 || !info.ModTime.Equal(then) {
		t.Errorf("described as %+v", info)
	}
	listed, err := in.List(dir)
	must(t, err)
	if len(listed) != 1 || listed[0].Physical != info.Physical || !listed[0].ModTime.Equal(then) {
		t.Errorf("listed as %+v", listed)
	}
	whole, err := in.Stat(dir)
	must(t, err)
	usage, err := Usage(in, dir)
	must(t, err)
	if usage != whole.Physical+info.Physical {
		t.Errorf("usage %d of a folder of %d and a file of %d", usage, whole.Physical, info.Physical)
	}
	if free, err := in.Free(dir); err != nil || free <= 0 {
		t.Errorf("free: %d, %v", free, err)
	}
}

func conformLocks(t *testing.T, in FS, dir string) {
	name := filepath.Join(dir, "lock")
	lock, err := in.Lock(name)
	must(t, err)
	_, err = in.Lock(name)
	wants(t, err, ErrLocked)
	must(t, lock.Close())
	lock, err = in.Lock(name)
	must(t, err)
	must(t, lock.Held())
	must(t, in.Remove(name))
	wants(t, lock.Held(), ErrLockLost)
	wants(t, lock.Held(), fs.ErrNotExist)
	other, err := in.Lock(name)
	must(t, err)
	wants(t, lock.Held(), ErrLockLost)
	must(t, errors.Join(other.Held(), lock.Close(), other.Held(), other.Close()))
	must(t, in.Mkdir(name+"2"))
	_, err = in.Lock(name + "2")
	wants(t, err, ErrNotRegular)
	_, err = in.Open(name + "2")
	wants(t, err, ErrNotRegular)
}

// What is no file is told at once, whatever it is, and removed with what it holds.
func TestWhatIsNoFileIsTold(t *testing.T) {
	dir := t.TempDir()
	for name, make := range map[string]func(name string) error{
		"pipe":    func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"link":    func(name string) error { return os.Symlink("/dev/null", name) },
		"loop":    func(name string) error { return os.Symlink(name, name) },
		"folder":  func(name string) error { return os.MkdirAll(filepath.Join(name, "x", "y"), 0o700) },
		"hanging": func(name string) error { return os.Symlink("nowhere", name) },
		"socket": func(name string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name})
			if err != nil {
				return err
			}
			l.SetUnlinkOnClose(false)
			return l.Close()
		},
	} {
		at := filepath.Join(dir, name)
		must(t, make(at))
		_, err := OS{}.Open(at)
		wants(t, err, ErrNotRegular)
		_, err = OS{}.Lock(at)
		wants(t, err, ErrNotRegular)
		if err := (OS{}).SyncDir(at); err == nil && name != "folder" {
			t.Errorf("%s is synced as a folder", name)
		}
		must(t, RemoveAll(OS{}, at))
		_, err = OS{}.Stat(at)
		wants(t, err, fs.ErrNotExist)
	}
}

func TestACrashKeepsWhatIsDurableOnly(t *testing.T) {
	m := NewMem(MemConfig{})
	put(t, m, "/whole", "durable")
	must(t, m.SyncDir("/"))
	put(t, m, "/unnamed", "synced, but not its name")
	f, err := m.Create("/half")
	must(t, err)
	must(t, m.SyncDir("/"))
	must(t, m.Remove("/unnamed"))
	_, err = f.Write([]byte("not synced"))
	must(t, err)
	must(t, m.Rename("/whole", "/moved"))
	m.Crash()

	if got := get(t, m, "/whole"); got != "durable" {
		t.Errorf("kept %q", got)
	}
	if got := get(t, m, "/half"); got != "" {
		t.Errorf("unsynced bytes are there: %q", got)
	}
	if got := get(t, m, "/unnamed"); got == "" {
		t.Error("a removal that was not durable happened")
	}
	_, err = m.Stat("/moved")
	wants(t, err, fs.ErrNotExist)
	_, err = f.Write([]byte("x"))
	wants(t, err, fs.ErrClosed)
}

// A disk may do more than it was asked to, and never less.
func TestACrashKeepingSomeKeepsAllThatIsDurable(t *testing.T) {
	kept := map[string]bool{}
	for seed := range uint64(64) {
		m := NewMem(MemConfig{})
		put(t, m, "/whole", "durable")
		must(t, m.SyncDir("/"))
		f, err := m.Create("/part")
		must(t, err)
		_, err = f.Write([]byte("abcdef"))
		must(t, err)
		m.CrashKeeping(rand.New(rand.NewPCG(seed, 0)))
		if got := get(t, m, "/whole"); got != "durable" {
			t.Fatalf("seed %d: kept %q", seed, got)
		}
		if _, err := m.Stat("/part"); err != nil {
			kept["absent"] = true
			continue
		}
		switch got := get(t, m, "/part"); {
		case got == "abcdef":
			kept["whole"] = true
		case bytes.HasPrefix([]byte("abcdef"), []byte(got)):
			kept["short"] = true
		default:
			kept["torn"] = true
		}
	}
	if len(kept) != 4 {
		t.Errorf("only these happened: %v", kept)
	}
}

func TestThePowerGoesAfterTheGivenOperations(t *testing.T) {
	m := NewMem(MemConfig{})
	m.CutPowerAfter(2)
	must(t, m.Mkdir("/a"))
	must(t, m.SyncDir("/"))
	wants(t, m.Mkdir("/b"), ErrPowerCut)
	if m.Operations() != 2 {
		t.Errorf("counted %d operations", m.Operations())
	}
	m.Crash()
	_, err := m.Stat("/a")
	must(t, err)
}

func TestAFullVolumeTakesWhatFits(t *testing.T) {
	m := NewMem(MemConfig{Capacity: 4 * memBlock})
	f, err := m.Create("/f")
	must(t, err)
	n, err := f.Write(make([]byte, 5*memBlock))
	wants(t, err, syscall.ENOSPC)
	if n != 3*memBlock {
		t.Errorf("wrote %d bytes", n)
	}
	if free, _ := m.Free("/"); free != 0 {
		t.Errorf("%d bytes free", free)
	}
	must(t, m.Remove("/f"))
}

func TestFaultsHitTheOperationsTheyAreMeantFor(t *testing.T) {
	var seen []string
	f := NewFaulty(NewMem(MemConfig{}), func(op Op) { seen = append(seen, string(op.Kind)) })
	f.Inject(FailNth(2, syscall.EIO))
	must(t, f.Mkdir("/a"))
	wants(t, f.Mkdir("/b"), syscall.EIO)
	must(t, f.Mkdir("/b"))
	f.Inject(FailMatching(OpWrite, "/a/", syscall.ENOSPC))
	file, err := f.Create("/a/f")
	must(t, err)
	if n, err := file.Write([]byte("four")); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a failed write wrote %d bytes: %v", n, err)
	}
	f.Inject(nil)
	if got := get(t, f, "/a/f"); got != "fo" {
		t.Errorf("a failed write left %q", got)
	}
	if got := fmt.Sprint(seen[:3]); got != "[mkdir mkdir create]" {
		t.Errorf("operations that happened: %s", got)
	}
}
