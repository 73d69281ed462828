package disk

import (
	"context"
	"errors"
	"io/fs"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// reconciler compares what the tier knows with what is in the folder. Anybody may remove or replace files at
// any moment. The tier finds that out when it uses one, and in each round of housekeeping; then it forgets
// what is gone, and enters what is new.
type reconciler struct {
	cfg        *Config
	catalog    *catalog
	alarm      *alarm
	folders    *folders
	quarantine *quarantine
	indexer    *indexer
	health     *health
}

// reconcile forgets blocks, files and folders that are gone, and quarantines blocks that changed. After
// something was found missing it also enters blocks that it doesn't know: the folder may have been moved away
// and back.
func (r *reconciler) reconcile(ctx context.Context) {
	if !isClosed(r.catalog.counted) {
		return
	}
	missing := r.alarm.takeMissing()
	before, _ := r.catalog.count()
	for _, b := range r.catalog.blocks() {
		if ctx.Err() != nil {
			return
		}
		r.compare(ctx, b)
	}
	for _, rel := range r.catalog.unclaimedFiles() {
		if _, err := r.cfg.FS.Stat(r.cfg.at(rel)); isGone(err) {
			r.catalog.forgetOrphan(rel)
			r.quarantine.forget(rel)
		}
	}
	r.folders.measure(r.folders.names()...)
	if now, _ := r.catalog.count(); now < before {
		r.cfg.Log.Warn("disk_blocks_gone", "blocks", before-now,
			"note", "somebody removed or changed their files; they are computed anew")
	}
	if missing {
		r.discover(ctx)
	}
}

// compare checks that a block's file is what was stored.
func (r *reconciler) compare(ctx context.Context, b *block) {
	info, err := r.cfg.FS.Stat(r.cfg.at(b.Value.path))
	switch {
	case isGone(err):
		r.forgetVanished(b)
	case err == nil && (info.Dir || info.Size != b.Bytes) && r.catalog.isCurrent(b):
		_ = r.quarantine.take(ctx, b.Ref, errChanged)
	}
}

var errChanged = errors.New("its size is not the one that was stored")

// discover enters blocks that somebody else put into the folder.
func (r *reconciler) discover(ctx context.Context) {
	files := map[string]vfs.Info{}
	err := vfs.Walk(r.cfg.FS, r.cfg.Dir, func(rel string, info vfs.Info) error {
		switch {
		case isBlockPath(rel):
			files[rel] = info
		case info.Dir:
			r.folders.measure(rel)
			return ctx.Err()
		}
		if info.Dir {
			return fs.SkipDir
		}
		return ctx.Err()
	})
	r.addOrphans(files)
	if err == nil {
		err = r.indexer.indexAll(ctx)
	}
	if err != nil && ctx.Err() == nil && !isGone(err) {
		_ = r.health.fail("look at what is in the folder", 0, err)
	}
}

// addOrphans takes block files into the ledger that the catalog doesn't know and that nobody is at work on.
func (r *reconciler) addOrphans(files map[string]vfs.Info) {
	r.catalog.mu.Lock()
	defer r.catalog.mu.Unlock()
	r.catalog.index.All(func(b *block) bool { delete(files, b.Value.path); return true })
	for rel, info := range files {
		if _, known := r.catalog.ledger.orphans[rel]; !known && r.catalog.claims[rel] == nil {
			r.catalog.ledger.addOrphan(rel, orphanOf(info))
		}
	}
}

// forgetVanished forgets a block whose file somebody else deleted.
func (r *reconciler) forgetVanished(b *block) {
	if b != nil && r.catalog.forgetBlock(b) && r.cfg.Listener.Vanished != nil {
		r.cfg.Listener.Vanished(b.Ref)
	}
}
