package disk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Wipe implements kv.Wiper for whatever lies there, since files are not asked when they were stored. The quarantine does
// not tell whose its files are, so it is emptied. It works while the tier is degraded, as far as the disk does.
func (t *Tier) Wipe(ctx context.Context, salt kv.SaltID, _ time.Time) (moved kv.Moved, err error) {
	if err := t.ownership.require("remove the blocks under salt " + salt.String()); err != nil {
		return moved, err
	}
	for _, file := range filesOf(t.catalog, salt) {
		bytes, failure := t.wipeFile(ctx, file)
		if failure == nil {
			moved.Add(bytes)
		}
		err = errors.Join(err, failure)
	}
	for _, rel := range quarantined(t.catalog) {
		if failure := t.quarantine.remove(rel, ReasonDeleted); failure != nil {
			err = errors.Join(err, t.health.fail("empty the quarantine", 0, failure))
		}
	}
	return moved, err
}

// saltedFile is a file of a block, or of what is not known to be one, with the block that the index has for it.
type saltedFile struct {
	rel   string
	block *kv.Ref // nil: none
	bytes int64
}

func (t *Tier) wipeFile(ctx context.Context, file saltedFile) (bytes int64, err error) {
	if err := t.catalog.claim(ctx, file.rel); err != nil {
		return 0, fmt.Errorf("remove file %s: %w", file.rel, err)
	}
	defer t.catalog.unclaim(file.rel)
	if file.block != nil {
		t.catalog.orphanBlock(file.block.Space, file.block.Key)
	}
	if err := t.remover.unlink(file.rel, ReasonDeleted); err != nil {
		return 0, t.health.fail("remove file "+file.rel, 0, err)
	}
	return file.bytes, nil
}

// filesOf are all files under a salt, those included whose header was not read yet, or is another model's.
func filesOf(c *catalog, salt kv.SaltID) (files []saltedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index.All(func(b *block) bool {
		if b.Salt == salt {
			ref := b.Ref
			files = append(files, saltedFile{b.Value.path, &ref, b.Value.physical})
		}
		return true
	})
	for rel, file := range c.ledger.orphans {
		if parts := strings.Split(rel, "/"); isBlockPath(rel) && parts[2] == salt.String() {
			files = append(files, saltedFile{rel, nil, file.physical})
		}
	}
	return files
}

func quarantined(c *catalog) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.ledger.damaged))
}
