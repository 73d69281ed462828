package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// placements is how often a store makes its folders anew if housekeeping removes them as empty meanwhile.
const placements = 4

// Write implements kv.Tier. It may evict others first, and takes as long as the disk does; the context is heard
// while it waits for its turn, not during I/O.
func (t *Tier) Write(ctx context.Context, e kv.Entry, data []byte) error {
	rel := e.Path()
	if err := t.claim(ctx, rel); err != nil {
		return fmt.Errorf("store block %s: %w", e.Key, err)
	}
	defer t.release(rel)
	if b := t.pin(e.Space, e.Key); b != nil {
		t.use(time.Time{}, b)
		t.unpin(b)
		return nil
	}
	t.awaitCount(ctx)
	if err := t.refusal(); err != nil {
		return fmt.Errorf("store block %s: %w", e.Key, err)
	}
	parent := t.pin(e.Space, e.Parent)
	defer t.unpin(parent)
	t.use(time.Time{}, parent)
	return t.writeNew(ctx, e, rel, data)
}

// countPatience is how long a store waits for the folder to be counted after a start.
const countPatience = 2 * time.Second

// awaitCount waits a little for the folder to be counted, unless the disk fails meanwhile.
func (t *Tier) awaitCount(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(countPatience); !t.isDegraded() && time.Now().Before(until); {
		select {
		case <-t.counted:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refusal tells why no store is taken now.
func (t *Tier) refusal() error {
	if !isClosed(t.counted) {
		return fmt.Errorf("%w: what is in the folder is still being counted", kv.ErrRefused)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.health.problem != "" {
		return fmt.Errorf("%w: %s", kv.ErrRefused, t.health.problem)
	}
	return nil
}

// writeNew stores a block that isn't there, at a path that the caller owns.
func (t *Tier) writeNew(ctx context.Context, e kv.Entry, rel string, data []byte) error {
	room := roomFor(len(data))
	if err := t.reserve(ctx, room); err != nil {
		return fmt.Errorf("store block %s: %w", e.Key, err)
	}
	temp := t.newTemp()
	t.startWrite(temp)
	physical, err := t.store(temp, rel, data)
	t.endWrite(temp)
	if err != nil {
		t.unreserve(room)
		return t.fail("store block "+e.Key.String(), int64(len(data)), err)
	}
	e.Bytes = int64(len(data))
	t.enter(e, record{path: rel, physical: physical}, room)
	return nil
}

// enter makes a durable block visible and turns its reservation into usage.
func (t *Tier) enter(e kv.Entry, r record, room int64) {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	r.used, r.touched = t.after(now), true
	t.ledger.dropLoose(r.path)
	t.ledger.used += r.physical
	t.ledger.reserved -= room
	t.index.Add(e, r)
}

func (t *Tier) unreserve(room int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ledger.reserved -= room
}

// store makes the data durable under the path. If it fails it leaves nothing behind that is not counted.
func (t *Tier) store(temp, rel string, data []byte) (physical int64, err error) {
	physical, err = t.writeTemp(temp, data)
	left := temp
	if err == nil {
		left, err = t.place(temp, rel)
	}
	t.measure(tempDir, path.Dir(rel))
	if err != nil {
		return 0, errors.Join(err, t.discard(left))
	}
	return physical, nil
}

// writeTemp writes and syncs a new file, and returns what it takes on the volume.
func (t *Tier) writeTemp(temp string, data []byte) (int64, error) {
	f, err := t.cfg.FS.Create(t.at(temp))
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
	info, err := t.cfg.FS.Stat(t.at(temp))
	return info.Physical, err
}

// place gives a synced file its durable name, and tells where it lies if that fails.
func (t *Tier) place(temp, rel string) (left string, err error) {
	for range placements {
		if err = t.makeFolders(rel); err != nil {
			return temp, err
		}
		err = t.cfg.FS.Rename(t.at(temp), t.at(rel))
		if err == nil {
			return rel, t.cfg.FS.SyncDir(t.at(path.Dir(rel)))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return temp, err
		}
		for _, dir := range foldersOf(rel) {
			t.setDurable(dir, false)
		}
	}
	return temp, err
}

// discard deletes what a failed store left. If even that fails, the file is counted and evicted first.
func (t *Tier) discard(rel string) error {
	err := t.cfg.FS.Remove(t.at(rel))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		t.forget(rel)
		t.measure(path.Dir(rel))
		return nil
	}
	file := loose{first: true, modTime: t.cfg.Clock()}
	if info, err := t.cfg.FS.Stat(t.at(rel)); err == nil {
		file.physical = info.Physical
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ledger.addLoose(rel, file)
	return err
}
