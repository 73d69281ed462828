package disk

import (
	"maps"
	"path"
	"slices"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// remover deletes files durably, and takes them out of the ledger once they are gone for good.
type remover struct {
	cfg     *Config
	catalog *catalog
	folders *folders
	health  *health
}

// erase deletes victims durably; only then do their bytes count as free. A file that cannot be deleted stays
// counted.
func (r *remover) erase(victims []victim, reason string) (failure error) {
	var gone []victim
	folders := map[string]bool{}
	for _, v := range victims {
		err := vfs.RemoveAll(r.cfg.FS, r.cfg.at(v.path))
		if err != nil && !isGone(err) {
			failure = err
			r.keepOrphan(v)
			continue
		}
		gone = append(gone, v)
		folders[path.Dir(v.path)] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		if err := r.cfg.FS.SyncDir(r.cfg.at(dir)); err != nil && !isGone(err) {
			failure = err
		}
		r.folders.measure(dir)
	}
	for _, v := range gone {
		r.account(v, reason)
	}
	if failure != nil {
		return r.health.fail("evict blocks", 0, failure)
	}
	return nil
}

// account takes a deleted file out of the ledger.
func (r *remover) account(v victim, reason string) {
	r.catalog.mu.Lock()
	bytes := v.physical + r.catalog.ledger.orphans[v.path].physical
	r.catalog.ledger.dropOrphan(v.path)
	r.catalog.ledger.used -= v.physical
	r.catalog.mu.Unlock()
	r.catalog.unclaim(v.path)
	if r.cfg.Listener.Evicted != nil {
		r.cfg.Listener.Evicted(reason, bytes)
	}
}

// keepOrphan keeps a file in the ledger that is no block any more and could not be deleted.
func (r *remover) keepOrphan(v victim) {
	now := r.cfg.Clock()
	r.catalog.mu.Lock()
	if v.physical > 0 {
		r.catalog.ledger.used -= v.physical
		r.catalog.ledger.addOrphan(v.path, orphan{physical: v.physical, modTime: now, evictFirst: true})
	}
	r.catalog.mu.Unlock()
	r.catalog.unclaim(v.path)
}

// unlink deletes an orphan durably. A file that isn't there is no error, but its absence is made durable.
func (r *remover) unlink(rel, reason string) error {
	err := vfs.RemoveAll(r.cfg.FS, r.cfg.at(rel))
	if err != nil && !isGone(err) {
		return err
	}
	there := err == nil
	if err := r.folders.sync(path.Dir(rel)); err != nil {
		return err
	}
	bytes := r.catalog.forgetOrphan(rel)
	if there && r.cfg.Listener.Evicted != nil {
		r.cfg.Listener.Evicted(reason, bytes)
	}
	return nil
}
