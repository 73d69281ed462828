package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Remove implements kv.Tier. What of the block lies in quarantine goes too. It works while the tier is degraded, as
// far as the disk does.
func (t *Tier) Remove(ctx context.Context, e kv.Entry) error {
	rel := e.Path()
	if err := t.claim(ctx, rel); err != nil {
		return fmt.Errorf("remove block %s: %w", e.Key, err)
	}
	defer t.release(rel)
	t.drop(e.Space, e.Key)
	err := t.unlink(rel, ReasonDeleted)
	if err == nil {
		err = t.removeQuarantined(path.Base(rel))
	}
	if err != nil {
		return t.fail("remove block "+e.Key.String(), 0, err)
	}
	return nil
}

// unlink deletes a loose file durably. One that isn't there is no error, but its absence is made durable.
func (t *Tier) unlink(rel, reason string) error {
	err := t.cfg.FS.Remove(t.at(rel))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	there := err == nil
	if err := t.syncDir(path.Dir(rel)); err != nil {
		return err
	}
	bytes := t.forget(rel)
	if there && t.cfg.Listener.Evicted != nil {
		t.cfg.Listener.Evicted(reason, bytes)
	}
	return nil
}

// syncDir makes a folder's names durable and measures it. A folder that isn't there has none.
func (t *Tier) syncDir(rel string) error {
	err := t.cfg.FS.SyncDir(t.at(rel))
	t.measure(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeQuarantined deletes all that lies in quarantine of a block with that name.
func (t *Tier) removeQuarantined(base string) error {
	files, err := t.cfg.FS.List(t.at(quarantineDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name, "-"+base) {
			err = errors.Join(err, t.unquarantine(path.Join(quarantineDir, file.Name), ReasonDeleted))
		}
	}
	return err
}
