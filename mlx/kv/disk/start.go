package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync/atomic"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// prepare looks at what an earlier process left: unfinished files go, all bytes are counted, then stores are taken
// and the blocks are entered one by one. Called again after a failure it goes on where that was.
func (t *Tier) prepare(ctx context.Context) error {
	if !isClosed(t.counted) {
		if err := t.count(ctx); err != nil {
			return t.fail("count what is in the folder", 0, err)
		}
	}
	if err := t.adoptAll(ctx); err != nil {
		return err
	}
	if !isClosed(t.indexed) {
		close(t.indexed)
		status := t.Status()
		t.cfg.Log.Info("disk_tier_indexed", "blocks", status.Blocks, "bytes", status.Bytes, "budget", status.Budget)
	}
	return errors.Join(t.boundQuarantine(), t.trim(ctx, 0))
}

// count makes the tier's own folders, sweeps the temp files and fills the ledger. If something is removed
// meanwhile it counts again.
func (t *Tier) count(ctx context.Context) error {
	for _, dir := range []string{tempDir, quarantineDir, currentVersion} {
		if err := t.makeFolders(dir + "/"); err != nil {
			return err
		}
	}
	if err := t.sweepTemps(); err != nil {
		return err
	}
	for {
		t.mu.Lock()
		t.disturbed = false
		t.mu.Unlock()
		fresh, err := t.look(ctx)
		if err != nil {
			return err
		}
		if t.install(fresh) {
			return nil
		}
	}
}

// sweepTemps deletes what stores left that never ended. No store is under way: none is taken before the count.
func (t *Tier) sweepTemps() error {
	files, err := t.cfg.FS.List(t.at(tempDir))
	if err != nil {
		return err
	}
	var bytes int64
	for _, file := range files {
		if err := t.cfg.FS.Remove(t.at(path.Join(tempDir, file.Name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		bytes += file.Physical
	}
	if len(files) > 0 && t.cfg.Listener.Swept != nil {
		t.cfg.Listener.Swept(len(files), bytes)
	}
	return t.cfg.FS.SyncDir(t.at(tempDir))
}

// look adds up all that lies in the folder.
func (t *Tier) look(ctx context.Context) (ledger, error) {
	fresh := newLedger()
	err := vfs.Walk(t.cfg.FS, t.cfg.Dir, func(rel string, info vfs.Info) error {
		switch {
		case info.Dir:
			fresh.resize(rel, 0, info.Physical)
		case path.Dir(rel) == quarantineDir:
			fresh.quarantine[rel] = info.Physical
			fresh.used += info.Physical
		case isBlockPath(rel):
			fresh.addLoose(rel, loose{physical: info.Physical, modTime: info.ModTime, unread: true})
		case isOtherVersion(rel):
			fresh.addLoose(rel, loose{physical: info.Physical, modTime: info.ModTime, first: true})
		default: // somebody else's: counted, never touched
			fresh.used += info.Physical
		}
		return ctx.Err()
	})
	return fresh, err
}

// install takes a count unless it was disturbed.
func (t *Tier) install(fresh ledger) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.disturbed {
		return false
	}
	for rel, f := range t.ledger.folders {
		fresh.folder(rel).durable = f.durable
	}
	fresh.tickets = t.ledger.tickets
	t.ledger = fresh
	close(t.counted)
	return true
}

// adoptAll enters every block file whose header was not read yet, those used last first.
func (t *Tier) adoptAll(ctx context.Context) error {
	for _, rel := range t.unread() {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.adopt(ctx, rel)
	}
	return nil
}

func (t *Tier) unread() (files []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rel, file := range t.ledger.loose {
		if file.unread {
			files = append(files, rel)
		}
	}
	slices.SortFunc(files, func(a, b string) int { return t.byAge(b, a) })
	return files
}

// adopt reads a block file's header and enters the block, and tells whether it is in the index now. What turns out
// damaged is quarantined; what cannot be read is tried again later, and evicted first if room is needed.
func (t *Tier) adopt(ctx context.Context, rel string) bool {
	if !t.isUnread(rel) {
		return false
	}
	err := t.makeFolders(rel) // an earlier process may have ended between a rename and its sync
	if err == nil {
		err = t.cfg.FS.SyncDir(t.at(path.Dir(rel)))
	}
	var e kv.Entry
	if err == nil {
		e, err = t.readEntry(rel)
	}
	switch {
	case err == nil:
		return t.enterLoose(e, rel)
	case errors.Is(err, fs.ErrNotExist):
		t.forget(rel)
	case errors.Is(err, kv.ErrVersion):
		t.ignore(rel)
	case errors.Is(err, kv.ErrDamaged):
		t.quarantineLoose(ctx, rel, err)
	default:
		t.demote(rel)
		_ = t.fail("index block file "+path.Base(rel), 0, err)
	}
	return false
}

func (t *Tier) isUnread(rel string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ledger.loose[rel].unread && t.claims[rel] == nil
}

// readEntry reads a header. ErrDamaged: the disk gave the bytes, and they are no header of the block named so.
func (t *Tier) readEntry(rel string) (e kv.Entry, err error) {
	f, size, err := t.openFile(rel)
	if err != nil {
		return e, err
	}
	defer f.Close()
	watched := &watchedReader{inner: f}
	e, err = t.cfg.Header(watched, size)
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

// watchedReader remembers that the disk, not what is on it, was at fault.
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

// enterLoose turns an unread file into a block, unless somebody got hold of it meanwhile.
func (t *Tier) enterLoose(e kv.Entry, rel string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	file := t.ledger.loose[rel]
	if !file.unread || t.claims[rel] != nil {
		return false
	}
	_, added := t.index.Add(e, record{path: rel, physical: file.physical, used: file.modTime})
	if added {
		delete(t.ledger.loose, rel)
	}
	return added
}

func (t *Tier) quarantineLoose(ctx context.Context, rel string, cause error) {
	if err := t.claim(ctx, rel); err != nil {
		return
	}
	defer t.release(rel)
	t.mu.Lock()
	still := t.ledger.loose[rel].unread
	t.mu.Unlock()
	if !still {
		return
	}
	if err := t.putAway(rel, cause); err != nil {
		_ = t.fail("quarantine block file "+path.Base(rel), 0, err)
	}
}

// demote lets a file be evicted that cannot be read now.
func (t *Tier) demote(rel string) { t.mark(rel, func(file *loose) { file.first = true }) }

// ignore lets a file be evicted that another version wrote, and never looks at it again.
func (t *Tier) ignore(rel string) {
	t.mark(rel, func(file *loose) { file.first, file.unread = true, false })
}

// mark changes what is noted of a loose file.
func (t *Tier) mark(rel string, change func(*loose)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if file, known := t.ledger.loose[rel]; known {
		change(&file)
		t.ledger.loose[rel] = file
	}
}
