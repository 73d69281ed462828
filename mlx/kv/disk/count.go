package disk

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// counter fills the ledger at the start with what an earlier process left.
type counter struct {
	cfg     *Config
	catalog *catalog
	folders *folders
}

// count makes the tier's own folders, sweeps the temp files and fills the ledger. If something is removed
// meanwhile it counts again.
func (c *counter) count(ctx context.Context) error {
	for _, dir := range []string{tempDir, quarantineDir, currentVersion} {
		if err := c.folders.make(dir + "/"); err != nil {
			return err
		}
	}
	if err := c.sweepTemps(); err != nil {
		return err
	}
	for {
		c.catalog.mu.Lock()
		c.catalog.recount = false
		c.catalog.mu.Unlock()
		fresh, err := c.survey(ctx)
		if err != nil {
			return err
		}
		if c.install(fresh) {
			return nil
		}
	}
}

// sweepTemps deletes the files of stores that never ended. No store is under way: none is taken before the
// count.
func (c *counter) sweepTemps() error {
	files, err := c.cfg.FS.List(c.cfg.at(tempDir))
	if err != nil {
		return err
	}
	var bytes int64
	for _, file := range files {
		err := vfs.RemoveAll(c.cfg.FS, c.cfg.at(path.Join(tempDir, file.Name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		bytes += file.Physical
	}
	if len(files) > 0 && c.cfg.Listener.Swept != nil {
		c.cfg.Listener.Swept(len(files), bytes)
	}
	return c.cfg.FS.SyncDir(c.cfg.at(tempDir))
}

// survey counts all that lies in the folder.
func (c *counter) survey(ctx context.Context) (ledger, error) {
	fresh := newLedger()
	err := vfs.Walk(c.cfg.FS, c.cfg.Dir, func(rel string, info vfs.Info) error {
		next := ctx.Err()
		if info.Dir && (isBlockPath(rel) || path.Dir(rel) == quarantineDir) { // no block, but in the place of one
			var err error
			if info.Physical, err = c.folders.usage(rel); err != nil && !isGone(err) {
				return err
			}
			info.Dir, next = false, fs.SkipDir
		}
		switch {
		case info.Dir:
			fresh.resize(rel, 0, info.Physical)
		case path.Dir(rel) == quarantineDir:
			fresh.addDamaged(rel, info.Physical)
		case isBlockPath(rel):
			fresh.addOrphan(rel, orphanOf(info))
		case isOtherVersion(rel):
			fresh.addOrphan(rel, orphan{physical: info.Physical, modTime: info.ModTime, evictFirst: true})
		default: // somebody else's: counted, never touched
			fresh.used += info.Physical
		}
		return next
	})
	return fresh, err
}

// install makes the count the ledger, unless something was removed meanwhile.
func (c *counter) install(fresh ledger) bool {
	c.catalog.mu.Lock()
	defer c.catalog.mu.Unlock()
	if c.catalog.recount {
		return false
	}
	for rel, f := range c.catalog.ledger.folders {
		fresh.folder(rel).durable = f.durable
	}
	fresh.measured = c.catalog.ledger.measured
	c.catalog.ledger = fresh
	close(c.catalog.counted)
	return true
}
