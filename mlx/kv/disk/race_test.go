package disk

import (
	"errors"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// during runs something once, right before the first operation of a kind on a name that contains a part.
func (b *bench) during(kind vfs.Kind, part string, do func()) {
	var once sync.Once
	b.disk.Inject(func(op vfs.Op) error {
		if op.Kind == kind && strings.Contains(op.Name, part) {
			once.Do(do)
		}
		return nil
	})
}

func TestAParentIsNotEvictedWhileItIsContinued(t *testing.T) {
	b := newBench(t, 100)
	a, other := toy(kv.Root, 1), toy(kv.Root, 2)
	b.put(a)
	b.put(other)
	c := toy(a.Key, 3)
	b.during(vfs.OpSync, tempDir, func() { b.must(b.evictor.trim(t.Context(), b.cfg.Budget)) })
	b.put(c)
	b.wantHeld("[0 2]", a, other, c)
	b.wantUsage()
}

func TestAUseCountsForWhatIsContinued(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	c, d := toy(a.Key, 2), toy(kv.Root, 3)
	for _, s := range []stored{a, c, d} {
		b.put(s)
	}
	b.Touch([]kv.Ref{c.Ref}, time.Time{})
	b.must(b.Delete(t.Context(), c.Ref))
	b.catalog.mu.Lock()
	defer b.catalog.mu.Unlock()
	if first := b.catalog.leaves(func(*block) bool { return true }).next(); first.Key != d.Key {
		t.Error("the parent of a block just used goes first")
	}
}

// What is deleted or quarantined while the folder is being counted, after the count has passed it, makes the count begin
// anew.
func TestARemovalDuringTheCountIsSeen(t *testing.T) {
	for what, remove := range map[string]func(*bench, stored) error{
		"deleted":     func(b *bench, s stored) error { return b.Delete(t.Context(), s.Ref) },
		"quarantined": func(b *bench, s stored) error { return b.Quarantine(t.Context(), s.Ref, errors.New("test")) },
	} {
		t.Run(what, func(t *testing.T) { removeDuringTheCount(t, remove) })
	}
}

func removeDuringTheCount(t *testing.T, remove func(*bench, stored) error) {
	b := newBench(t, 100)
	blocks := b.several(6)
	b.must(b.Close())
	tier, err := Open(b.cfg)
	b.must(err)
	b.Tier = tier
	last := 0
	for i, s := range blocks {
		if s.Path() > blocks[last].Path() {
			last = i
		}
	}
	gone := []stored{blocks[(last+1)%len(blocks)], blocks[(last+2)%len(blocks)]}
	b.during(vfs.OpList, filepath.FromSlash(path.Dir(blocks[last].Path())), func() {
		for _, s := range gone {
			b.must(remove(b, s))
		}
	})
	b.must(b.prepare(t.Context()))
	b.wantHeld("[]", gone...)
	b.wantUsage()
	if n := b.Status().Blocks; n != 4 {
		t.Errorf("%d blocks", n)
	}
}

func TestAFolderThatVanishesDuringAStoreIsMadeAgain(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	folder := path.Dir(a.Path())
	b.during(vfs.OpRename, folder, func() { b.must(b.mem.Remove(filepath.Join(testDir, folder))) })
	b.put(a)
	b.mem.Crash()
	b.must(reopen(b))
	b.wantHeld("[0]", a)
	b.wantUsage()
}

// A block that is being evicted can be stored at once; it waits until the old file is gone.
func TestAStoreDuringTheEvictionOfTheSameBlock(t *testing.T) {
	b := newBench(t, 100)
	a := toy(kv.Root, 1)
	b.put(a)
	stored := make(chan error, 1)
	b.during(vfs.OpRemove, currentVersion, func() {
		go func() { stored <- b.Put(t.Context(), a.Entry, a.data) }()
	})
	b.must(b.evictor.trim(t.Context(), b.cfg.Budget))
	b.must(<-stored)
	b.wantHeld("[0]", a)
	b.wantUsage()
}

// Measurements of a folder end in any order; the one that began last counts.
func TestAnEarlierMeasurementDoesNotCount(t *testing.T) {
	l := newLedger()
	l.resize("v1", 2, 3*unit)
	l.resize("v1", 1, unit)
	if l.used != 3*unit {
		t.Errorf("%d bytes", l.used)
	}
}
