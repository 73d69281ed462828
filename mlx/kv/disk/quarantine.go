package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// The quarantine holds so many files and so much of the budget at most; the oldest go first.
const (
	quarantineFiles = 16
	quarantineShare = 10 // 1/10 of the budget
)

// Quarantine implements kv.Tier.
func (t *Tier) Quarantine(ctx context.Context, e kv.Entry, cause error) error {
	rel := e.Path()
	if err := t.claim(ctx, rel); err != nil {
		return fmt.Errorf("quarantine block %s: %w", e.Key, err)
	}
	defer t.release(rel)
	t.drop(e.Space, e.Key)
	if err := t.putAway(rel, cause); err != nil {
		return t.fail("quarantine block "+e.Key.String(), 0, err)
	}
	return nil
}

// Quarantined implements kv.Inspector. The quarantine is bounded, so this forgets.
func (t *Tier) Quarantined(e kv.Entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rel := range t.ledger.quarantine {
		if strings.HasSuffix(rel, "-"+path.Base(e.Path())) {
			return true
		}
	}
	return false
}

// putAway moves a file that no index knows into quarantine, and deletes it if it cannot be moved. The caller owns
// the path.
func (t *Tier) putAway(rel string, cause error) error {
	to := quarantineName(rel, t.cfg.Clock())
	err := t.makeFolders(to)
	if err == nil {
		err = t.cfg.FS.Rename(t.at(rel), t.at(to))
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.forget(rel)
		return nil
	}
	if err != nil {
		return errors.Join(err, t.unlink(rel, ReasonDamaged))
	}
	bytes := t.moveToQuarantine(rel, to)
	if t.cfg.Listener.Quarantined != nil {
		t.cfg.Listener.Quarantined(cause, bytes)
	}
	t.cfg.Log.Warn("disk_block_quarantined", "bytes", bytes, "file", to, "error", fmt.Sprint(cause))
	return errors.Join(t.syncDir(path.Dir(rel)), t.syncDir(quarantineDir), t.boundQuarantine())
}

// moveToQuarantine moves a file in the account. Before the folder is counted, the count begins anew.
func (t *Tier) moveToQuarantine(rel, to string) int64 {
	info, err := t.cfg.FS.Stat(t.at(to))
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		info.Physical = t.ledger.loose[rel].physical
	}
	t.ledger.dropLoose(rel)
	if !isClosed(t.counted) {
		t.disturbed = true
		return info.Physical
	}
	t.ledger.used += info.Physical - t.ledger.quarantine[to]
	t.ledger.quarantine[to] = info.Physical
	return info.Physical
}

// boundQuarantine deletes the oldest damaged files as far as there are too many.
func (t *Tier) boundQuarantine() (err error) {
	for _, rel := range t.surplus() {
		err = errors.Join(err, t.unquarantine(rel, ReasonDamaged))
	}
	return err
}

func (t *Tier) surplus() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := slices.Sorted(maps.Keys(t.ledger.quarantine))
	var kept int64
	for i := len(names) - 1; i >= 0; i-- {
		kept += t.ledger.quarantine[names[i]]
		if len(names)-i > quarantineFiles || kept > t.cfg.Budget/quarantineShare {
			return names[:i+1]
		}
	}
	return nil
}

// unquarantine deletes a damaged file for good.
func (t *Tier) unquarantine(rel, reason string) error {
	err := t.cfg.FS.Remove(t.at(rel))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := t.syncDir(quarantineDir); err != nil {
		return err
	}
	bytes, known := t.leaveQuarantine(rel)
	if known && t.cfg.Listener.Evicted != nil {
		t.cfg.Listener.Evicted(reason, bytes)
	}
	return nil
}

func (t *Tier) leaveQuarantine(rel string) (bytes int64, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bytes, known = t.ledger.quarantine[rel]
	delete(t.ledger.quarantine, rel)
	t.ledger.used -= bytes
	if !isClosed(t.counted) {
		t.disturbed = true
	}
	return bytes, known
}
