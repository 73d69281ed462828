package disk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// leave puts somebody else's file into the folder.
func (b *bench) leave(rel string, data []byte) {
	b.Helper()
	b.must(vfs.MkdirAll(b.mem, filepath.Dir(filepath.Join(testDir, rel))))
	f, err := b.mem.Create(filepath.Join(testDir, rel))
	b.must(err)
	_, err = f.Write(data)
	b.must(errors.Join(err, f.Sync(), f.Close()))
}

func TestARestartKeepsBlocksUsageAndOrder(t *testing.T) {
	b := newBench(t, 100)
	old := b.several(12)
	b.Touch([]kv.Ref{old[0].Ref}, time.Time{})
	b.restart()
	b.wantUsage()
	b.wantHeld("[0 1]", old[0], old[1])
	b.fill()
	b.wantHeld("[0]", old[0], old[1])
}

func TestAFolderHasOneOwner(t *testing.T) {
	b := newBench(t, 0)
	_, err := Open(b.cfg)
	if !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), testDir) {
		t.Errorf("opened twice: %v", err)
	}
}

func TestAFolderMayMove(t *testing.T) {
	root := t.TempDir()
	cfg := Config{FS: vfs.OS{}, Dir: filepath.Join(root, "deep", "here"), Budget: 8 << 20, Header: tiertest.ToyHeader}
	a := toy(kv.Root, 1)
	b := &bench{TB: t, Tier: openReal(t, cfg)}
	b.must(b.Put(t.Context(), a.Entry, a.data))
	b.must(b.Close())
	moved := filepath.Join(root, "there")
	b.must(os.Rename(cfg.Dir, moved))
	cfg.Dir = moved
	b.Tier = openReal(t, cfg)
	b.wantHeld("[0]", a)
	usage, err := vfs.Usage(vfs.OS{}, moved)
	b.must(err)
	if got := b.Status().Bytes; got != usage {
		t.Errorf("the ledger says %d bytes, the folder takes %d", got, usage)
	}
	b.must(b.Close())
}

func openReal(t *testing.T, cfg Config) *Tier {
	t.Helper()
	tier, err := Open(cfg)
	if err == nil {
		err = tier.prepare(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return tier
}

// On a real disk the ledger follows the folder, and the budget holds after each call.
func TestTheBudgetHoldsOnARealDisk(t *testing.T) {
	cfg := Config{FS: vfs.OS{}, Dir: t.TempDir(), Budget: 1 << 20, Header: tiertest.ToyHeader}
	tier := openReal(t, cfg)
	parent := kv.Root
	for seed := range uint64(150) {
		s := toy(parent, seed)
		if err := tier.Put(t.Context(), s.Entry, s.data); err != nil {
			t.Fatal(err)
		}
		if parent = s.Key; seed%4 == 3 {
			parent = kv.Root
			tier.sweep(t.Context())
		}
		usage, err := vfs.Usage(cfg.FS, cfg.Dir)
		if got := tier.Status().Bytes; err != nil || got != usage || usage > cfg.Budget {
			t.Fatalf("after %d blocks the ledger says %d bytes, the folder takes %d of %d: %v", seed, got, usage, cfg.Budget, err)
		}
	}
	if err := tier.Close(); err != nil {
		t.Error(err)
	}
}

func TestForeignFilesCountAndStay(t *testing.T) {
	b := newBench(t, 60)
	big := make([]byte, 20*unit)
	b.leave("readme.txt", big)
	b.leave("v1/notes", big[:unit])
	b.leave("v0/old/a", big[:2*unit])
	b.clock.advance(time.Second)
	b.leave("v0/old/b", big[:2*unit])
	b.restart()
	b.wantUsage()
	for seed := range uint64(60) {
		b.put(toy(kv.Root, seed))
	}
	for rel, want := range map[string]bool{"readme.txt": true, "v1/notes": true, "v0/old/a": false, "v0/old/b": false} {
		if _, err := b.mem.Stat(filepath.Join(testDir, rel)); (err == nil) != want {
			t.Errorf("%s: %v", rel, err)
		}
	}
	b.wantUsage()
}

func TestOtherVersionsGoBeforeBlocks(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	b.put(a)
	b.leave("v0/x", make([]byte, 30*unit))
	b.restart()
	b.fill()
	b.wantHeld("[0]", a)
}

func TestDamagedFilesAreQuarantinedAtTheStart(t *testing.T) {
	var causes []error
	b := newBench(t, 100)
	a, c, d := toy(kv.Root, 1), toy(kv.Root, 2), toy(kv.Root, 3)
	b.put(a)
	b.must(vfs.MkdirAll(b.mem, filepath.Dir(filepath.Join(testDir, c.Path()))))
	b.leave(c.Path(), c.data[:50])
	b.leave(d.Path(), a.data) // another block's bytes
	b.restart(func(cfg *Config) {
		cfg.Listener.Quarantined = func(cause error, _ int64) { causes = append(causes, cause) }
	})
	b.wantHeld("[0]", a, c, d)
	if len(causes) != 2 || !errors.Is(causes[0], kv.ErrDamaged) {
		t.Errorf("quarantined for %v", causes)
	}
	if !b.Status().Healthy {
		t.Error("a damaged file degraded the tier")
	}
	b.wantUsage()
	b.must(b.Delete(t.Context(), c.Ref))
	if left, _ := b.mem.List(testDir + "/" + quarantineDir); len(left) != 1 {
		t.Errorf("%d files are in quarantine after one block was removed for good", len(left))
	}
	b.wantUsage()
}

func TestUnfinishedFilesAreSweptAtTheStart(t *testing.T) {
	b := newBench(t, 100)
	b.leave(tempDir+"/1", make([]byte, 3*unit))
	b.leave(tempDir+"/x", nil)
	var files, bytes int64
	b.restart(func(cfg *Config) {
		cfg.Listener.Swept = func(n int, size int64) { files, bytes = int64(n), size }
	})
	if files != 2 || bytes != 3*unit {
		t.Errorf("swept %d files of %d bytes", files, bytes)
	}
	b.wantUsage()
}

func TestTheQuarantineIsBounded(t *testing.T) {
	b := newBench(t, 600)
	for seed := range uint64(40) {
		s := toy(kv.Root, seed)
		b.put(s)
		b.must(b.Quarantine(t.Context(), s.Ref, errors.New("test")))
	}
	if n := len(b.catalog.ledger.damaged); n != quarantineFiles || b.evicted[ReasonDamaged] != 40-quarantineFiles {
		t.Errorf("%d files in quarantine, evicted %v", n, b.evicted)
	}
	b.wantUsage()
	b.restart()
	b.wantUsage()
}

// A block whose folder was never synced, because the process ended in between, is durable once it is found.
func TestWhatIsFoundAtTheStartIsDurable(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	b.disk.Inject(func(op vfs.Op) error {
		if strings.Contains(op.Name, currentVersion) && (op.Kind == vfs.OpSyncDir && strings.HasSuffix(a.Path(), filepath.Base(op.Name)) ||
			op.Kind == vfs.OpRemove || op.Kind == vfs.OpSyncDir && len(filepath.Base(op.Name)) == 2 && filepath.Base(op.Name) != currentVersion) {
			return syscall.EIO
		}
		return nil
	})
	if err := b.Put(context.Background(), a.Entry, a.data); err == nil {
		t.Fatal("stored without a durable name")
	}
	b.disk.Inject(nil)
	b.restart()
	b.wantHeld("[0]", a)
	b.must(b.Put(t.Context(), a.Entry, a.data))
	b.mem.Crash()
	b.must(reopen(b))
	b.wantHeld("[0]", a)
}

func TestAFileDeletedByOthersIsAMiss(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	b.put(a)
	b.must(b.mem.Remove(filepath.Join(testDir, a.Path())))
	b.wantHeld("[]", a)
	b.put(a)
	b.wantHeld("[0]", a)
	b.wantUsage()
}

func TestOpenTellsWhatIsMissing(t *testing.T) {
	good := Config{FS: vfs.NewMem(vfs.MemConfig{}), Dir: testDir, Budget: minBudget, Header: tiertest.ToyHeader}
	for name, spoil := range map[string]func(*Config){
		"file system": func(c *Config) { c.FS = nil },
		"folder":      func(c *Config) { c.Dir = "" },
		"header":      func(c *Config) { c.Header = nil },
		"budget":      func(c *Config) { c.Budget = 100 },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := Open(cfg); err == nil {
			t.Errorf("opened without %s", name)
		}
	}
}
