package disk

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// The quarantine holds so many files and so much of the budget at most; the oldest files go first.
const (
	quarantineFiles = 16
	quarantineShare = 10 // 1/10 of the budget
)

// quarantine is the part of the folder to which damaged files are moved.
type quarantine struct {
	cfg       *Config
	catalog   *catalog
	ownership *ownership
	folders   *folders
	remover   *remover
	health    *health
}

// take moves a block into quarantine.
func (q *quarantine) take(ctx context.Context, ref kv.Ref, cause error) error {
	rel := ref.Path()
	if err := q.catalog.claim(ctx, rel); err != nil {
		return fmt.Errorf("quarantine block %s: %w", ref.Key, err)
	}
	defer q.catalog.unclaim(rel)
	if err := q.ownership.require("quarantine block " + ref.Key.String()); err != nil {
		return err
	}
	return q.takeClaimed(ref, cause)
}

// takeClaimed is take for a caller that owns the path.
func (q *quarantine) takeClaimed(ref kv.Ref, cause error) error {
	q.catalog.orphanBlock(ref.Space, ref.Key)
	if err := q.put(ref.Path(), cause); err != nil {
		return q.health.fail("quarantine block "+ref.Key.String(), 0, err)
	}
	return nil
}

// has tells whether something of a block is in quarantine.
func (q *quarantine) has(ref kv.Ref) bool {
	q.catalog.mu.Lock()
	defer q.catalog.mu.Unlock()
	for rel := range q.catalog.ledger.damaged {
		if strings.HasSuffix(rel, "-"+path.Base(ref.Path())) {
			return true
		}
	}
	return false
}

// put moves an orphan into quarantine, and deletes it if it cannot be moved. The caller owns the path.
func (q *quarantine) put(rel string, cause error) error {
	to := quarantineName(rel, q.cfg.Clock())
	err := q.move(rel, to)
	if _, missing := q.cfg.FS.Stat(q.cfg.at(rel)); isGone(err) && isGone(missing) {
		q.catalog.forgetOrphan(rel)
		return nil
	}
	if err != nil {
		return errors.Join(err, q.remover.unlink(rel, ReasonDamaged))
	}
	bytes := q.account(rel, to)
	if q.cfg.Listener.Quarantined != nil {
		q.cfg.Listener.Quarantined(cause, bytes)
	}
	q.cfg.Log.Warn("disk_block_quarantined", "bytes", bytes, "file", to, "error", fmt.Sprint(cause))
	return errors.Join(q.folders.sync(path.Dir(rel)), q.folders.sync(quarantineDir), q.bound())
}

// move renames a file into a folder that somebody may have removed.
func (q *quarantine) move(rel, to string) (err error) {
	for range 2 {
		if err = q.folders.make(to); err != nil {
			return err
		}
		if err = q.cfg.FS.Rename(q.cfg.at(rel), q.cfg.at(to)); !isGone(err) {
			return err
		}
		q.folders.recheck(to)
	}
	return err
}

// account moves a file in the ledger. While the folder is being counted, the count begins anew.
func (q *quarantine) account(rel, to string) int64 {
	physical, err := q.folders.usage(to)
	q.catalog.mu.Lock()
	defer q.catalog.mu.Unlock()
	if err != nil {
		physical = q.catalog.ledger.orphans[rel].physical
	}
	q.catalog.ledger.dropOrphan(rel)
	if isClosed(q.catalog.counted) {
		q.catalog.ledger.addDamaged(to, physical)
	}
	q.catalog.disturbCount()
	return physical
}

// bound deletes the oldest damaged files as far as there are too many.
func (q *quarantine) bound() (err error) {
	for _, rel := range q.excess() {
		err = errors.Join(err, q.remove(rel, ReasonDamaged))
	}
	return err
}

// excess returns the damaged files that are too many, oldest first.
func (q *quarantine) excess() []string {
	q.catalog.mu.Lock()
	defer q.catalog.mu.Unlock()
	return q.catalog.ledger.excess(quarantineFiles, q.cfg.Budget/quarantineShare)
}

// remove deletes a damaged file for good.
func (q *quarantine) remove(rel, reason string) error {
	err := vfs.RemoveAll(q.cfg.FS, q.cfg.at(rel))
	if err != nil && !isGone(err) {
		return err
	}
	if err := q.folders.sync(quarantineDir); err != nil {
		return err
	}
	bytes, known := q.forget(rel)
	if known && q.cfg.Listener.Evicted != nil {
		q.cfg.Listener.Evicted(reason, bytes)
	}
	return nil
}

// forget takes a damaged file that is gone out of the ledger. A count under way begins anew.
func (q *quarantine) forget(rel string) (bytes int64, known bool) {
	q.catalog.mu.Lock()
	defer q.catalog.mu.Unlock()
	q.catalog.disturbCount()
	return q.catalog.ledger.dropDamaged(rel)
}

// removeBlock deletes whatever the quarantine holds of the block with that name.
func (q *quarantine) removeBlock(base string) error {
	files, err := q.cfg.FS.List(q.cfg.at(quarantineDir))
	if isGone(err) {
		return nil
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name, "-"+base) {
			err = errors.Join(err, q.remove(path.Join(quarantineDir, file.Name), ReasonDeleted))
		}
	}
	return err
}

// displace moves into quarantine what has a name that the tier needs itself. What has the quarantine's own
// name is deleted.
func (q *quarantine) displace(rel string) error {
	q.cfg.Log.Warn("disk_entry_put_aside", "path", rel, "note", "it lay where the tier needs its own")
	if rel == quarantineDir {
		return vfs.RemoveAll(q.cfg.FS, q.cfg.at(rel))
	}
	to := quarantineName(rel, q.cfg.Clock())
	if err := q.move(rel, to); err != nil {
		return err
	}
	q.account(rel, to)
	q.folders.measure(path.Dir(rel), quarantineDir)
	return q.bound()
}
