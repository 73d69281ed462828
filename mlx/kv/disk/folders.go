package disk

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// folders makes the tier's folders durable, measures what they take, and removes empty ones.
type folders struct {
	cfg     *Config
	catalog *catalog
	alarm   *alarm
	// displace moves away what has the name of a folder that the tier needs, and is none.
	displace func(rel string) error
}

// attempts is how often a store makes its folders again if housekeeping removes them as empty meanwhile.
const attempts = 4

// make makes the folders above a path as far as this process does not know them to be durable. Folders that
// somebody removed meanwhile are made again.
func (f *folders) make(rel string) error {
	err := f.tryMake(rel)
	for i := 0; i < attempts && errors.Is(err, fs.ErrNotExist); i++ {
		f.recheck(rel)
		err = f.tryMake(rel)
	}
	return err
}

// recheck forgets that the folders above a path are durable: one of them was found missing.
func (f *folders) recheck(rel string) {
	for _, dir := range foldersOf(rel) {
		f.setDurable(dir, false)
	}
	f.alarm.reportMissing()
}

func (f *folders) tryMake(rel string) error {
	above := "."
	for _, dir := range foldersOf(rel) {
		if !f.isDurable(dir) {
			if err := f.makeOne(above, dir); err != nil {
				return err
			}
		}
		above = dir
	}
	return nil
}

// makeOne makes one folder durable. A file in its place is moved away.
func (f *folders) makeOne(above, dir string) error {
	err := f.cfg.FS.Mkdir(f.cfg.at(dir))
	if errors.Is(err, fs.ErrExist) {
		err = nil
		if f.isObstructed(dir) {
			err = errors.Join(f.displace(dir), f.cfg.FS.Mkdir(f.cfg.at(dir)))
		}
	}
	if err != nil {
		return err
	}
	if err := f.cfg.FS.SyncDir(f.cfg.at(above)); err != nil {
		return err
	}
	f.setDurable(dir, true)
	f.measure(dir, above)
	return nil
}

// isObstructed tells whether what lies at a path can't be used as a folder.
func (f *folders) isObstructed(rel string) bool {
	err := f.cfg.FS.SyncDir(f.cfg.at(rel))
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

func (f *folders) isDurable(dir string) bool {
	f.catalog.mu.Lock()
	defer f.catalog.mu.Unlock()
	return f.catalog.ledger.folder(dir).durable
}

func (f *folders) setDurable(dir string, durable bool) {
	f.catalog.mu.Lock()
	defer f.catalog.mu.Unlock()
	f.catalog.ledger.folder(dir).durable = durable
}

// measure asks what folders take now. Measurements are numbered before they are made, so that the latest one,
// which saw the latest change, wins whichever comes back last.
func (f *folders) measure(names ...string) {
	for _, rel := range names {
		f.catalog.mu.Lock()
		number := f.catalog.ledger.beginMeasurement()
		f.catalog.mu.Unlock()
		info, err := f.cfg.FS.Stat(f.cfg.at(rel))
		gone := isGone(err)
		if err != nil && !gone {
			info.Physical = unit // not known now; the next start counts again
		}
		f.catalog.mu.Lock()
		if gone {
			f.catalog.ledger.folder(rel).durable = false
		}
		f.catalog.ledger.resize(rel, number, info.Physical)
		f.catalog.mu.Unlock()
	}
}

// isGone tells whether a name leads nowhere: it isn't there, or what was a folder above it is none now.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

// names returns all folders that the ledger knows.
func (f *folders) names() []string {
	f.catalog.mu.Lock()
	defer f.catalog.mu.Unlock()
	return slices.Collect(maps.Keys(f.catalog.ledger.folders))
}

// usage returns what a file takes, or a folder with all below it.
func (f *folders) usage(rel string) (int64, error) { return vfs.Usage(f.cfg.FS, f.cfg.at(rel)) }

// sync makes a folder's names durable and measures it. A folder that isn't there has none.
func (f *folders) sync(rel string) error {
	err := f.cfg.FS.SyncDir(f.cfg.at(rel))
	f.measure(rel)
	if isGone(err) {
		return nil
	}
	return err
}

// removeEmpty removes folders that hold no block any more, for the bytes that they take. A store that is
// about to use one makes it again.
func (f *folders) removeEmpty() {
	for _, dir := range f.empty() {
		if f.cfg.FS.Remove(f.cfg.at(dir)) == nil && f.sync(path.Dir(dir)) == nil {
			f.setDurable(dir, false)
			f.measure(dir)
		}
	}
}

// empty returns the folders below the version's in which no known file lies, deepest first.
func (f *folders) empty() (empty []string) {
	f.catalog.mu.Lock()
	defer f.catalog.mu.Unlock()
	full := map[string]bool{}
	note := func(rel string) {
		for _, dir := range foldersOf(rel) {
			full[dir] = true
		}
	}
	f.catalog.index.All(func(b *block) bool { note(b.Value.path); return true })
	for rel := range f.catalog.ledger.orphans {
		note(rel)
	}
	for rel := range f.catalog.claims {
		note(rel)
	}
	for dir, usage := range f.catalog.ledger.folders {
		if strings.HasPrefix(dir, currentVersion+"/") && usage.physical > 0 && !full[dir] {
			empty = append(empty, dir)
		}
	}
	slices.SortFunc(empty, func(a, b string) int { return len(b) - len(a) })
	return empty
}
