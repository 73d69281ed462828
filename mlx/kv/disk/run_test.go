package disk

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Run writes down times of use and evicts what outlived its TTL, without anybody asking.
func TestRunSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(vfs.MemConfig{})
		tier := running(t, Config{FS: mem, Dir: testDir, Budget: minBudget, TTL: time.Hour})
		a := toy(kv.Root, 1)
		if err := tier.Put(t.Context(), a.Entry, a.data); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		used := time.Now()
		tier.Touch([]kv.Ref{a.Ref}, time.Time{})
		time.Sleep(2 * time.Minute)
		info, err := mem.Stat(filepath.Join(testDir, a.Path()))
		if err != nil || !info.ModTime.Equal(used) {
			t.Errorf("used at %s, its file says %s: %v", used, info.ModTime, err)
		}
		time.Sleep(50 * time.Minute)
		if n := tier.Status().Blocks; n != 1 {
			t.Errorf("%d blocks before the TTL is over", n)
		}
		time.Sleep(time.Hour)
		if n := tier.Status().Blocks; n != 0 {
			t.Errorf("%d blocks after it", n)
		}
	})
}

// A folder that cannot be counted at the start is counted when the disk works.
func TestRunStartsOnceTheDiskWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(vfs.NewMem(vfs.MemConfig{}), nil)
		disk.Inject(vfs.FailMatching(vfs.OpList, "", vfs.ErrPowerCut))
		time.AfterFunc(time.Minute, func() { disk.Inject(nil) })
		tier := running(t, Config{FS: disk, Dir: testDir, Budget: minBudget})
		if status := tier.Status(); !status.Healthy || status.Indexing {
			t.Errorf("status %+v", status)
		}
	})
}
