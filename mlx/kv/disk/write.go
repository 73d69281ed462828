package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// writer stores blocks: it writes each to a temp file, syncs it, and renames it to its path.
type writer struct {
	cfg        *Config
	catalog    *catalog
	recency    *recency
	folders    *folders
	quarantine *quarantine
	evictor    *evictor
	health     *health
	temps      atomic.Int64 // temp files named so far
}

// newTemp returns a path that no other file of this process has.
func (w *writer) newTemp() string {
	return path.Join(tempDir, strconv.FormatInt(w.temps.Add(1), 10))
}

// isStored tells whether the block is stored already, as far as its file's size says, and notes its use. A
// file of another size goes into quarantine. The caller owns the path.
func (w *writer) isStored(e kv.Entry, rel string) bool {
	b := w.catalog.acquire(e.Space, e.Key)
	if b == nil {
		return false
	}
	defer w.catalog.release(b)
	info, err := w.cfg.FS.Stat(w.cfg.at(rel))
	if err != nil && !isGone(err) || err == nil && !info.Dir && info.Size == b.Bytes {
		w.recency.use(time.Time{}, b)
		return true
	}
	_ = w.quarantine.takeClaimed(e.Ref, errChanged) // a failure degraded the tier, which refuses the store then
	return false
}

// countPatience is how long a store waits for the folder to be counted after a start.
const countPatience = 2 * time.Second

// waitCounted waits for the folder to be counted, for countPatience at most, and no longer than the tier is healthy.
func (w *writer) waitCounted(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	select {
	case <-w.catalog.counted:
	case <-w.health.untilDegraded():
	case <-ctx.Done():
	}
}

// refusal tells why the tier takes no store now.
func (w *writer) refusal() error {
	if !isClosed(w.catalog.counted) {
		return fmt.Errorf("%w: what is in the folder is still being counted", kv.ErrRefused)
	}
	if problem := w.health.degradation(); problem != "" {
		return fmt.Errorf("%w: %s", kv.ErrRefused, problem)
	}
	return nil
}

// write stores a block that isn't there, at a path that the caller owns.
func (w *writer) write(ctx context.Context, e kv.Entry, rel string, data []byte) error {
	room := roomFor(len(data))
	if err := w.evictor.reserve(ctx, room); err != nil {
		return fmt.Errorf("store block %s: %w", e.Key, err)
	}
	temp := w.newTemp()
	w.health.startWrite(temp)
	physical, err := w.writeDurably(temp, rel, data)
	w.health.endWrite(temp)
	if err != nil {
		w.evictor.unreserve(room)
		w.health.recordPath(rel)
		return w.health.fail("store block "+e.Key.String(), int64(len(data)), err)
	}
	e.Bytes = int64(len(data))
	w.catalog.enter(e, record{path: rel, physical: physical, payer: kv.PayerOf(ctx)}, room)
	return nil
}

// writeDurably makes the data durable under the path. If it fails it leaves nothing behind that is not
// counted.
func (w *writer) writeDurably(temp, rel string, data []byte) (physical int64, err error) {
	physical, err = w.writeTemp(temp, data)
	left := temp
	if err == nil {
		left, err = w.place(temp, rel)
	}
	w.folders.measure(tempDir, path.Dir(rel))
	if err != nil {
		return 0, errors.Join(err, w.discard(left))
	}
	return physical, nil
}

// writeTemp writes and syncs a new file, and returns what it takes on the volume.
func (w *writer) writeTemp(temp string, data []byte) (int64, error) {
	f, err := w.create(temp)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	info, err := w.cfg.FS.Stat(w.cfg.at(temp))
	return info.Physical, err
}

// create makes a temp file, in a folder that somebody may have removed and under a name that somebody may
// have taken.
func (w *writer) create(temp string) (f vfs.File, err error) {
	for range attempts {
		f, err = w.cfg.FS.Create(w.cfg.at(temp))
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, fs.ErrExist):
			err = vfs.RemoveAll(w.cfg.FS, w.cfg.at(temp))
		case isGone(err):
			w.folders.recheck(temp)
			err = w.folders.make(temp)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("make %s: somebody keeps removing its folder", temp)
}

// place gives a synced file its durable name, and tells where the file lies if that fails.
func (w *writer) place(temp, rel string) (left string, err error) {
	for range attempts {
		if err = w.folders.make(rel); err != nil {
			return temp, err
		}
		err = w.cfg.FS.Rename(w.cfg.at(temp), w.cfg.at(rel))
		if err == nil {
			return rel, w.cfg.FS.SyncDir(w.cfg.at(path.Dir(rel)))
		}
		switch {
		case isGone(err):
			w.folders.recheck(rel)
		case isFolderThere(err):
			err = w.quarantine.displace(rel)
		}
		if err != nil && !isGone(err) {
			return temp, err
		}
	}
	return temp, err
}

// isFolderThere tells whether a rename failed because a folder has the name.
func isFolderThere(err error) bool {
	return errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTEMPTY)
}

// discard deletes what a failed store left. If even that fails, the file is counted and evicted first.
func (w *writer) discard(rel string) error {
	err := w.cfg.FS.Remove(w.cfg.at(rel))
	if err == nil || isGone(err) {
		w.catalog.forgetOrphan(rel)
		w.folders.measure(path.Dir(rel))
		return nil
	}
	file := orphan{evictFirst: true, modTime: w.cfg.Clock()}
	if info, err := w.cfg.FS.Stat(w.cfg.at(rel)); err == nil {
		file.physical = info.Physical
	}
	w.catalog.mu.Lock()
	defer w.catalog.mu.Unlock()
	w.catalog.ledger.addOrphan(rel, file)
	return err
}
