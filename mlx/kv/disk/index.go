package disk

import (
	"context"
	"errors"
	"path"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// indexer enters block files that are in the folder already into the index.
type indexer struct {
	cfg        *Config
	catalog    *catalog
	folders    *folders
	reader     *reader
	quarantine *quarantine
	health     *health
}

// indexAll enters every block file whose header was not read yet, those used last first.
func (i *indexer) indexAll(ctx context.Context) error {
	for _, rel := range i.unread() {
		if err := ctx.Err(); err != nil {
			return err
		}
		i.index(ctx, rel)
	}
	return nil
}

// unread returns the orphans whose header was not read yet, youngest first.
func (i *indexer) unread() []string {
	i.catalog.mu.Lock()
	defer i.catalog.mu.Unlock()
	return i.catalog.ledger.unread()
}

// index reads a block file's header and enters the block, and tells whether it is in the index now. A damaged
// file goes into quarantine. A file that cannot be read is tried again later, and evicted first if room is
// needed.
func (i *indexer) index(ctx context.Context, rel string) bool {
	if !i.isUnread(rel) {
		return false
	}
	err := i.folders.make(rel) // an earlier process may have ended between a rename and its sync
	if err == nil {
		err = i.cfg.FS.SyncDir(i.cfg.at(path.Dir(rel)))
	}
	var e kv.Entry
	if err == nil {
		e, err = i.reader.entry(rel)
	}
	switch {
	case err == nil:
		return i.enter(e, rel)
	case isGone(err):
		i.catalog.forgetOrphan(rel)
	case errors.Is(err, kv.ErrVersion):
		i.ignore(rel)
	case errors.Is(err, kv.ErrDamaged):
		i.quarantineDamaged(ctx, rel, err)
	default:
		i.demote(rel)
		_ = i.health.fail("index block file "+path.Base(rel), 0, err)
	}
	return false
}

// isUnread tells whether a file's header was not read yet and nobody is at work on it.
func (i *indexer) isUnread(rel string) bool {
	i.catalog.mu.Lock()
	defer i.catalog.mu.Unlock()
	return i.catalog.ledger.orphans[rel].unread && i.catalog.claims[rel] == nil
}

// isOrphanUnread is isUnread for the owner of the path.
func (i *indexer) isOrphanUnread(rel string) bool {
	i.catalog.mu.Lock()
	defer i.catalog.mu.Unlock()
	return i.catalog.ledger.orphans[rel].unread
}

// enter turns an unread file into a block, unless somebody claimed it meanwhile.
func (i *indexer) enter(e kv.Entry, rel string) bool {
	now := i.cfg.Clock()
	i.catalog.mu.Lock()
	defer i.catalog.mu.Unlock()
	file := i.catalog.ledger.orphans[rel]
	if !file.unread || i.catalog.claims[rel] != nil {
		return false
	}
	_, added := i.catalog.index.Add(e, record{path: rel, physical: file.physical, used: earlier(file.modTime, now)})
	if added {
		delete(i.catalog.ledger.orphans, rel)
	}
	return added
}

// quarantineDamaged moves an unread file into quarantine, unless somebody was quicker.
func (i *indexer) quarantineDamaged(ctx context.Context, rel string, cause error) {
	if err := i.catalog.claim(ctx, rel); err != nil {
		return
	}
	defer i.catalog.unclaim(rel)
	if !i.isOrphanUnread(rel) {
		return
	}
	if err := i.quarantine.put(rel, cause); err != nil {
		_ = i.health.fail("quarantine block file "+path.Base(rel), 0, err)
	}
}

// demote lets a file be evicted that cannot be read now.
func (i *indexer) demote(rel string) { i.mark(rel, func(file *orphan) { file.evictFirst = true }) }

// ignore lets a file be evicted that another version wrote, and never reads it again.
func (i *indexer) ignore(rel string) {
	i.mark(rel, func(file *orphan) { file.evictFirst, file.unread = true, false })
}

// mark changes what the ledger says of an orphan.
func (i *indexer) mark(rel string, change func(*orphan)) {
	i.catalog.mu.Lock()
	defer i.catalog.mu.Unlock()
	if file, known := i.catalog.ledger.orphans[rel]; known {
		change(&file)
		i.catalog.ledger.orphans[rel] = file
	}
}
